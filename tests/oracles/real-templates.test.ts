import { expect, test } from 'vitest';
import { describeWithOracles } from '../support/oracle.ts';
import { conversations } from './conversations.ts';
import { compareConversations, findTemplates } from './real-templates.ts';

describeWithOracles('the templates that transformers and TRL carry', () => {
  test('render each conversation as in Python', async () => {
    const templates = await findTemplates({ installed: ['trl', 'transformers'] });
    expect(templates.length).toBeGreaterThan(50);
    const { compared, differences } = await compareConversations(templates);
    expect(differences).toEqual([]);
    expect(compared).toBeGreaterThan(templates.length * conversations().size * 0.99);
  });
});
