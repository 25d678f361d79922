import type { Step } from '../step.ts'

/** login and logout against a registry with a password (HTTP Basic); the user is alice, the password `secret`. */
export const loginSteps: readonly Step[] = [
  { id: 'login needed: pull', line: 'pull AUTH/team/legacy:1.0' },
  { id: 'login needed: pull -a', line: 'pull -a AUTH/team/legacy' },
  {
    id: 'login needed: manifest inspect',
    line: 'manifest inspect --insecure AUTH/team/legacy:1.0',
  },
  { id: 'login no terminal', line: 'login AUTH' },
  { id: 'login no terminal with user', line: 'login -u alice AUTH' },
  { id: 'login wrong password', line: 'login -u alice --password-stdin AUTH', stdin: 'wrong\n' },
  { id: 'login empty password', line: 'login -u alice --password-stdin AUTH', stdin: '' },
  { id: 'login wrong user', line: 'login -u bob --password-stdin AUTH', stdin: 'secret\n' },
  { id: 'login stdin without user', line: 'login --password-stdin AUTH', stdin: 'secret\n' },
  { id: 'login two passwords', line: 'login -u alice -p a --password-stdin AUTH', stdin: 'b\n' },
  { id: 'login two arguments', line: 'login a b' },
  { id: 'login unknown flag', line: 'login --foo' },
  {
    id: 'login refused',
    line: 'login -u alice --password-stdin 127.0.0.1:1',
    stdin: 'secret\n',
  },
  { id: 'login', line: 'login -u alice --password-stdin AUTH', stdin: 'secret\n' },
  { id: 'login again, stored', line: 'login AUTH' },
  { id: 'login stored, other user', line: 'login -u bob AUTH' },
  { id: 'login stored, same user', line: 'login -u alice AUTH' },
  { id: 'login stored, password only', line: 'login -p secret AUTH' },
  { id: 'login -p', line: 'login -u alice -p secret AUTH' },
  { id: 'login used: pull', line: 'pull AUTH/team/legacy:1.0' },
  {
    id: 'login used: manifest inspect',
    line: 'manifest inspect --insecure AUTH/team/legacy:1.0',
  },
  { id: 'logout', line: 'logout AUTH' },
  { id: 'logout again', line: 'logout AUTH' },
  { id: 'logout unknown', line: 'logout example.org' },
  { id: 'logout two arguments', line: 'logout a b' },
  { id: 'logout done: pull', line: 'pull AUTH/team/legacy:1.0' },
  { id: 'logout done: rmi', line: 'rmi AUTH/team/legacy:1.0' },
]
