// Many light nodes: `crowd URL KEY COUNT` registers so many at a control server, has them follow their maps, and prints a line
// when everybody in it knows everybody else.
import { keyOf } from '../../swarm/light-client.ts'
import { Swarm } from '../../swarm/swarm.ts'

const LIMIT = 60_000
const [url = '', authKey = '', count = '0'] = process.argv.slice(2)
const control = await keyOf(url)
const swarm = new Swarm(1)
await swarm.register(control, authKey, Number(count), LIMIT)
await swarm.follow(control, LIMIT)
const unaware = await swarm.unaware(LIMIT)
console.log(unaware === 0 ? 'all know all' : `${unaware} do not know all`)
