// SVGs of one style by DiceBear's own renderer, warm: prints {version, cpu_ms, p50_ms}. argv: folder with node_modules, style, how many
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const [folder, name, count] = process.argv.slice(2);
const core = `${folder}/node_modules/@dicebear/core`;
const manifest = JSON.parse(readFileSync(`${core}/package.json`, 'utf8'));
const entry = manifest.exports?.['.']?.import ?? manifest.exports?.['.']?.default ?? manifest.exports?.['.'] ?? manifest.main;
const { Avatar, Style } = await import(pathToFileURL(`${core}/${typeof entry === 'string' ? entry : entry.default}`));
const style = new Style(JSON.parse(readFileSync(`${folder}/node_modules/@dicebear/styles/dist/${name}.min.json`, 'utf8')));
const draw = (seed) => new Avatar(style, { seed, size: 1024 }).toString();
for (let number = 0; number < 50; number += 1) draw(`warm ${number}`);
const times = [];
const before = process.cpuUsage();
for (let number = 0; number < Number(count); number += 1) {
  const started = performance.now();
  draw(`seed ${number}`);
  times.push(performance.now() - started);
}
const spent = process.cpuUsage(before);
times.sort((one, other) => one - other);
console.log(JSON.stringify({
  version: manifest.version,
  p50_ms: times[Math.floor(times.length / 2)],
  cpu_ms: (spent.user + spent.system) / 1000 / times.length,
}));
