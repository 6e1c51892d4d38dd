// CommonJS in old syntax: it must parse wherever `martlet` or `npm run` may be started, before any version is checked.
'use strict';

var childProcess = require('node:child_process');
var fs = require('node:fs');
var path = require('node:path');

/** The Node 24 that `npm ci` brings into a checkout (workspace tools/runtime), if it stands there. */
function projectNode(root) {
  var system = process.platform === 'win32' ? 'win' : process.platform;
  var file = system === 'win' ? 'node.exe' : 'node';
  var found = path.join(root, 'node_modules', `node-${system}-${process.arch}`, 'bin', file);
  return fs.existsSync(found) ? found : undefined;
}

/** Whether this process is at least Node `major.minor`. */
function atLeast(major, minor) {
  var own = process.versions.node.split('.').map(Number);
  return own[0] > major || (own[0] === major && own[1] >= minor);
}

/**
 * Runs `node script ...` in place of this process: same streams, signals passed on, same way of ending. When this process
 * is killed, it is asked to end as by SIGTERM.
 */
function runUnder(node, args, env) {
  var child = childProcess.spawn(node, [path.join(__dirname, 'ends-with-parent.js')].concat(args), {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: env || process.env,
  });
  ['SIGINT', 'SIGTERM', 'SIGHUP'].forEach((signal) => {
    process.on(signal, () => {
      child.kill(signal);
    });
  });
  child.on('error', (error) => {
    process.stderr.write(`cannot start ${node}: ${error.message}\n`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

module.exports = { projectNode: projectNode, atLeast: atLeast, runUnder: runUnder };
