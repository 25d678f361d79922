import type { AcceptedDifference } from './step.ts'

type Part = AcceptedDifference['what']

function differences(
  reason: string,
  what: Part,
  steps: readonly string[],
): readonly AcceptedDifference[] {
  return steps.map((step) => ({ step, what, reason }))
}

const helpReason =
  'help is in our own words; it lists what katman has, its own flags too (--dry-run, --tree), and no flag without effect'
const commandsReason = 'the list names the commands katman has, described in our own words'

const platformReason = 'the engine of the recording is too old for --platform here; katman has it'

/** docker refuses the flag; Katman does the step, or says what is wrong with it in newer docker's words. */
function platformSteps(what: Part): readonly string[] {
  const done = ['push', 'load', 'inspect', 'image inspect', 'history']
  const commands =
    what === 'stderr' ? [...done, 'save', 'rmi'] : what === 'stdout' ? done : [...done, 'save']
  return commands.map((command) => `${command} --platform`)
}

/** Every difference from docker that Katman means to have, with the reason. */
export const accepted: readonly AcceptedDifference[] = [
  ...differences('one more line says which platforms there are', 'stderr', [
    'pull no such platform in index',
    'pull --platform not in index',
  ]),
  ...differences('the engine of the recording is too old for the tree; katman has it', 'stdout', [
    'images --tree',
  ]),
  ...differences('the engine of the recording is too old for the tree; katman has it', 'stderr', [
    'images --tree',
  ]),
  ...differences(
    'the engine of the recording is too old for the tree; katman has it',
    'exit code',
    ['images --tree'],
  ),
  ...differences(
    'one more line says which platforms of the index are not here; this engine forgets the index',
    'stdout',
    ['push of one platform'],
  ),
  ...(['stdout', 'stderr', 'exit code'] as const).flatMap((what) =>
    differences(platformReason, what, platformSteps(what)),
  ),
  ...differences(
    'a registry on loopback may speak plain http for every command, as for docker pull; docker wants --insecure here',
    'stdout',
    ['manifest inspect without --insecure'],
  ),
  ...differences(
    'a registry on loopback may speak plain http for every command, as for docker pull; docker wants --insecure here',
    'stderr',
    ['manifest inspect without --insecure'],
  ),
  ...differences(
    'a registry on loopback may speak plain http for every command, as for docker pull; docker wants --insecure here',
    'exit code',
    ['manifest inspect without --insecure'],
  ),
  ...differences('the address tried last is named, plain http; docker names the first', 'stderr', [
    'manifest inspect refused',
  ]),
  ...differences(
    'docker tells both tries to find out how the registry is spoken to, https and http; katman the last',
    'stderr',
    ['search refused connection'],
  ),
  ...differences(
    'docker asks its engine for an address without a name; katman says what is wrong with the name',
    'stderr',
    ['rmi empty'],
  ),
  ...differences('the program says its own name and version', 'stdout', [
    'usage -v',
    'usage --version',
  ]),
  ...differences(commandsReason, 'stderr', [
    'usage bare',
    'usage bare group',
    'usage manifest group',
    'usage system group',
  ]),
  ...differences(commandsReason, 'stdout', ['usage group help', 'help']),
  ...differences(helpReason, 'stdout', [
    'help pull',
    'help images',
    'help inspect',
    'help image inspect',
    'help history',
    'help tag',
    'help rmi',
    'help image rm',
    'help image ls',
    'help image prune',
    'help manifest inspect',
    'help system df',
    'help login',
    'help logout',
    'help version',
    'help command',
    'help search',
  ]),
]
