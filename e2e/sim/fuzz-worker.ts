// The thread that runs a share of the seeds.
import { parentPort, workerData } from 'node:worker_threads'
import { runEvery, type Share } from './fuzz-share.ts'

runEvery(workerData as Share, (outcome) => parentPort?.postMessage(outcome))
