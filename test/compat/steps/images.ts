import type { Step } from '../step.ts'

/** Listing what the pulls left. */
export const imagesSteps: readonly Step[] = [
  { id: 'images', line: 'images', order: 'sorted' },
  { id: 'images -q', line: 'images -q', order: 'sorted' },
  { id: 'images -q --no-trunc', line: 'images -q --no-trunc', order: 'sorted' },
  { id: 'images --no-trunc', line: 'images --no-trunc', order: 'sorted' },
  { id: 'images --digests', line: 'images --digests', order: 'sorted' },
  {
    id: 'images --digests --no-trunc',
    line: 'images --digests --no-trunc',
    order: 'sorted',
  },
  { id: 'images -a', line: 'images -a', order: 'sorted' },
  { id: 'images repository', line: 'images REG/team/app', order: 'sorted' },
  { id: 'images repository:tag', line: 'images REG/team/app:1' },
  { id: 'images nothing found', line: 'images nope' },
  { id: 'images two arguments', line: 'images a b' },
  { id: 'images bad name', line: 'images UPPER' },
  { id: 'images did you mean', line: 'images ls' },
  {
    id: 'images order by date',
    line: "images --format '{{.Repository}}:{{.Tag}}' --filter 'reference=REG/*/app:[12]' --filter reference=REG/*/busybox --filter reference=REG/*/legacy",
  },
  { id: 'image ls', line: 'image ls REG/team/app:1' },
  { id: 'image list', line: 'image list -q REG/team/app:1' },

  {
    id: 'images filter dangling=true',
    line: 'images --filter dangling=true',
    order: 'sorted',
  },
  {
    id: 'images filter dangling=false',
    line: 'images -q -f dangling=false',
    order: 'sorted',
  },
  { id: 'images filter dangling bad', line: 'images -f dangling=maybe' },
  { id: 'images filter label', line: 'images -f label=maintainer', order: 'sorted' },
  {
    id: 'images filter label=value',
    line: 'images -f label=org.opencontainers.image.version=1.0',
  },
  {
    id: 'images filter two labels',
    line: 'images -f label=maintainer=team -f label=org.opencontainers.image.version=2.0',
    order: 'sorted',
  },
  { id: 'images filter label miss', line: 'images -f label=nope' },
  {
    id: 'images filter before',
    line: 'images -f before=REG/team/app:1',
    order: 'sorted',
  },
  { id: 'images filter since', line: 'images -f since=REG/team/app:1', order: 'sorted' },
  {
    id: 'images filter before and since',
    line: 'images -f before=REG/team/app:2 -f since=REG/library/alpine:3.20',
  },
  { id: 'images filter before unknown', line: 'images -f before=nope' },
  {
    id: 'images filter since by id',
    line: 'images -q -f since={short:team/app:2}',
  },
  {
    id: 'images filter reference glob',
    line: 'images -f reference=REG/*/al*',
    order: 'sorted',
  },
  {
    id: 'images filter reference tag glob',
    line: 'images -f reference=REG/team/app:?',
    order: 'sorted',
  },
  { id: 'images filter reference short', line: "images -f 'reference=*/*'" },
  {
    id: 'images filter two references',
    line: 'images -f reference=REG/team/app:1 -f reference=REG/team/legacy',
  },
  { id: 'images filter reference bad glob', line: "images -f 'reference=[a-'" },
  { id: 'images filter unknown', line: 'images -f foo=bar' },
  { id: 'images filter without =', line: 'images -f foo' },
  { id: 'images filter empty', line: "images -q -f '' REG/team/app:1" },

  {
    id: 'images json',
    line: 'images --format json',
    order: 'sorted',
  },
  {
    id: 'images json --digests',
    line: 'images --digests --format json REG/team/app:1',
  },
  {
    id: 'images json --no-trunc',
    line: 'images --no-trunc --format json REG/team/app:1',
  },
  {
    id: 'images format {{json .}}',
    line: "images --format '{{json .}}' REG/team/app:1",
  },
  {
    id: 'images format table',
    line: "images --format 'table {{.Repository}}\\t{{.Tag}}\\t{{.ID}}\\t{{.Size}}'",
    order: 'sorted',
  },
  { id: 'images format table default', line: 'images --format table REG/team/app:1' },
  {
    id: 'images format table digest',
    line: "images --format 'table {{.ID}}\\t{{.Digest}}\\t{{.CreatedAt}}' REG/team/app:1",
  },
  {
    id: 'images format table function',
    line: "images --format 'table {{.Repository | upper}}\\t{{.Tag}}' REG/team/app:1",
  },
  {
    id: 'images format template',
    line: "images --format '{{.ID}}: {{.Repository}}:{{.Tag}} {{.Size}}'",
    order: 'sorted',
  },
  {
    id: 'images format all fields',
    line: "images --format '{{.Containers}} {{.CreatedAt}} {{.Digest}} {{.SharedSize}} {{.UniqueSize}} {{.VirtualSize}}' REG/team/app:1",
  },
  {
    id: 'images format functions',
    line: 'images --format \'{{upper .Tag}} {{lower "ABC"}} {{title "abc"}} {{pad .Tag 2 3}}| {{truncate .ID 4}} {{join (split .Repository "/") "+"}}\' REG/team/app:1',
  },
  {
    id: 'images format if and printf',
    line: 'images --format \'{{if eq .Tag "1"}}one{{else}}other{{end}} {{printf "%-8s|%q" .Tag .ID}} {{len .ID}}\' REG/team/app:1',
  },
  {
    id: 'images format newline',
    line: "images --format '{{.Tag}}\\n{{.ID}}\\t.' REG/team/app:1",
  },
  { id: 'images format word', line: 'images --format prettyjson REG/team/app:1' },
  { id: 'images format raw', line: 'images --format raw REG/team/app:1' },
  { id: 'images format raw -q', line: 'images -q --format raw REG/team/app:1' },
  { id: 'images format -q', line: "images -q --format '{{.Tag}}' REG/team/app:1" },
  { id: 'images format no-trunc', line: "images --no-trunc --format '{{.ID}}' REG/team/app:1" },
  { id: 'images format unclosed', line: "images --format '{{.ID'" },
  { id: 'images format no field', line: "images --format '{{.Nope}}' REG/team/app:1" },
  { id: 'images format no function', line: "images --format '{{nope .ID}}'" },
  { id: 'images unknown flag', line: 'images --foo' },
  { id: 'images flag typo', line: 'images --no-trunk' },
  { id: 'images --tree', line: 'images --tree' },
]
