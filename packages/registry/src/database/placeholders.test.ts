import { describe, expect, it } from 'vitest'
import { numberPlaceholders } from './placeholders.ts'

describe('numberPlaceholders', () => {
  it.each([
    ['SELECT 1', 'SELECT 1'],
    ['SELECT ? WHERE a = ?', 'SELECT $1 WHERE a = $2'],
    ["SELECT 'what?', ?", "SELECT 'what?', $1"],
    ["SELECT 'it''s ?', ?", "SELECT 'it''s ?', $1"],
    ['SELECT "odd?name", ?', 'SELECT "odd?name", $1'],
    ['SELECT ? -- why?\n, ?', 'SELECT $1 -- why?\n, $2'],
    ['SELECT /* ? */ ?', 'SELECT /* ? */ $1'],
    ["SELECT 'open ?", "SELECT 'open ?"],
  ])('%s', (sql, numbered) => {
    expect(numberPlaceholders(sql)).toBe(numbered)
  })
})
