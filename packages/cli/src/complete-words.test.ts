import { describe, expect, it } from 'vitest'
import { completeWords } from './complete-words.ts'

const words = (...typed: readonly string[]): readonly string[] =>
  completeWords(typed).candidates.map(({ word }) => word)

describe('completeWords', () => {
  it('completes commands and groups, at the beginning and in a group', () => {
    expect(words('pu')).toEqual(['pull', 'push'])
    expect(words('ima')).toEqual(['image', 'images'])
    expect(words('image', 'pr')).toEqual(['prune'])
    expect(words('help', 'buildx', '')).toEqual(['imagetools'])
    expect(words('')).toContain('completion')
    expect(words('')).not.toContain('__complete')
  })

  it('completes the options of the command that is typed', () => {
    expect(words('pull', '--al')).toEqual(['--all-tags'])
    expect(words('image', 'rm', 'x', '--fo')).toEqual(['--force'])
    expect(words('--con')).toEqual(['--config'])
    expect(words('pull', '--')).not.toContain('--disable-content-trust')
  })

  it('passes over global options, and offers nothing for their values', () => {
    expect(words('--root', '/x', 'pus')).toEqual(['push'])
    expect(words('--root=/x', '-D', 'pus')).toEqual(['push'])
    expect(words('--root', '')).toEqual([])
  })

  it('offers images where a command takes them, but not as the value of an option', () => {
    expect(completeWords(['rmi', ''])).toEqual({ candidates: [], images: true })
    expect(completeWords(['image', 'rm', 'a', 'b']).images).toBe(true)
    expect(completeWords(['save', '-o', '']).images).toBe(false)
    expect(completeWords(['images', '--format', '']).images).toBe(false)
    expect(completeWords(['login', '']).images).toBe(false)
  })

  it('offers nothing for what is no command', () => {
    expect(completeWords(['nonsense', ''])).toEqual({ candidates: [], images: false })
    expect(completeWords(['image', 'nonsense', '--'])).toEqual({ candidates: [], images: false })
  })
})
