import type { BinaryOp, Expression } from './expression.ts';

const signs: Partial<Record<BinaryOp, string>> = { add: '+', sub: '-', mul: '*', div: '/', greater: '>' };

/** An expression as a person would write it: `-total(weight * logProbability) / stepWeight`. */
export function formatExpression(expression: Expression): string {
  switch (expression.op) {
    case 'quantity':
      return expression.name;
    case 'constant':
      return String(expression.value);
    case 'neg':
      return `-${operand(expression.of)}`;
    default: {
      if ('of' in expression) return `${expression.op}(${formatExpression(expression.of)})`;
      const sign = signs[expression.op];
      return sign
        ? `${operand(expression.left)} ${sign} ${operand(expression.right)}`
        : `${expression.op}(${formatExpression(expression.left)}, ${formatExpression(expression.right)})`;
    }
  }
}

/** Put in parentheses where it is itself written with a sign between two sides. */
function operand(expression: Expression): string {
  const text = formatExpression(expression);
  return 'left' in expression && signs[expression.op] ? `(${text})` : text;
}
