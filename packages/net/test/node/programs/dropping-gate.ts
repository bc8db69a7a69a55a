// A thread whose gate drops packets as fast as it can, once another one does, too.
import { workerData } from 'node:worker_threads'
import { GateDrops } from '../../../src/gate-drops.ts'

const { memory, count } = workerData as { memory: SharedArrayBuffer; count: number }
const drops = new GateDrops(memory)
const ready = new Int32Array(memory, GateDrops.byteLength, 1)
Atomics.add(ready, 0, 1)
while (Atomics.load(ready, 0) < 2);
for (let i = 0; i < count; i += 1) drops.add('no-rule')
