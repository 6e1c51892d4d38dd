// What `runUnder` puts in front of a script: a parent that is killed can pass no signal on, but the channel to it closes.
'use strict';

process.once('disconnect', () => {
  process.kill(process.pid, 'SIGTERM');
});
process.channel.unref();
process.argv.splice(1, 1);
import(require('node:url').pathToFileURL(process.argv[1]).href);
