#!/usr/bin/env node
'use strict';
// node bench/against-nginx.cjs [--quick|--all]: Tidegate beside nginx (and nginx with njs, HAProxy for the SAS job) in one run; prints the ratios and
// which of the targets fall short. --quick leaves out what is slow; --all takes HAProxy, Caddy and TLS 1.2 in.
const { spawnSync } = require('node:child_process'), path = require('node:path'), fs = require('node:fs'), os = require('node:os');
const quick = process.argv.includes('--quick'), every = process.argv.includes('--all');
const out = path.join(os.tmpdir(), `against-nginx-${process.pid}.json`);
const only = ['nginx', 'nginx-njs', ...(every ? ['haproxy', 'caddy'] : []), 'haproxy-sas', 'tidegate'].join();
const tests = quick ? 'get,full,down' : every ? 'get,sas,get1,full,hybrid,resumed,full12,resumed12,down,up,idle' : 'get,sas,get1,full,hybrid,resumed,down,up,idle';
const r = spawnSync(path.join(__dirname, 'bench.cjs'), ['--candidates', path.join(__dirname, 'candidates.json'), '--candidates', path.join(__dirname, 'sas.json'),
  '--only', only, '--tests', tests, '--rounds', quick ? '2' : '3', '--secs', quick ? '1.5' : '1.2', '--out', out],
{ stdio: ['ignore', 'inherit', 'inherit'] });
let all; try { all = JSON.parse(fs.readFileSync(out, 'utf8')); } catch { console.log('the benchmark gave no numbers'); process.exit(1); }
fs.rmSync(out, { force: true });
const median = (v) => v.slice().sort((x, y) => x - y)[v.length >> 1];
const ratio = (metric, ref) => { const q = (all.data[metric]?.tidegate || []).map((x, i) => x / (all.data[metric][ref] || [])[i]).filter(Number.isFinite); return q.length ? median(q) : undefined; };
const MUST = [['get cpu us', 'nginx', 3.2, 2.0], ['sas cpu us', 'nginx-njs', 1.5, 1.0], ['sas cpu us', 'haproxy-sas', 2.5, 1.6], ['one conn p50 ms', 'nginx', 1.6, 1.3], ['tls1.3 full cpu us', 'nginx', 2.0, 1.5], ['tls1.3 X25519MLKEM768 cpu us', 'nginx', 1.7, 1.3],
  ['tls1.3 resumed cpu us', 'nginx', 2.1, 1.6], ['download cpu s/GB', 'nginx', 1.6, 1.2], ['upload cpu s/GB', 'nginx', 1.6, 1.15], ['memory MB', 'nginx', 6, 3]];
const said = [], bad = [];
for (const [metric, ref, must, aim] of MUST) {
  const x = ratio(metric, ref);
  if (x === undefined && quick) continue;
  said.push(`${metric}/${ref} ${x === undefined ? '?' : x.toFixed(2)} (must ${must}, aim ${aim})`);
  if (!(x <= must)) bad.push(metric);
}
console.log(said.join('\n'));
console.log(bad.length ? `over the line: ${bad.join(', ')}` : 'all within the musts');
process.exit(bad.length ? 1 : 0);
