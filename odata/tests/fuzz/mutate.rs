//! Inputs made of other inputs: pieces cut, doubled, exchanged, and words of the language put in between.

use crate::generate::Chance;

/// Longest input, bytes; a little more than any parser takes.
const LENGTH_MAX: usize = 70_000;
/// Most inputs kept.
const KEPT_MAX: usize = 4000;

/// Inputs worth to go on from.
pub struct Corpus {
    inputs: Vec<Vec<u8>>,
    words: &'static [&'static str],
}

impl Corpus {
    pub fn new(seeds: Vec<String>, words: &'static [&'static str]) -> Corpus {
        Corpus { inputs: seeds.into_iter().map(String::into_bytes).collect(), words }
    }

    pub fn len(&self) -> usize {
        self.inputs.len()
    }

    /// Keeps an input with an outcome of a new kind.
    pub fn keep(&mut self, input: Vec<u8>) {
        if self.inputs.len() < KEPT_MAX {
            self.inputs.push(input);
        }
    }

    pub fn next(&self, chance: &mut Chance) -> Vec<u8> {
        let mut input = chance.of(&self.inputs).clone();
        for _ in 0..=chance.below(6) {
            self.mutate(&mut input, chance);
        }
        input.truncate(LENGTH_MAX);
        input
    }

    fn mutate(&self, input: &mut Vec<u8>, chance: &mut Chance) {
        let at = chance.below(input.len() + 1);
        let end = (at + 1 + chance.below(24)).min(input.len());
        let word = chance.of(self.words).as_bytes();
        match chance.below(10) {
            0 => {
                input.drain(at..end.max(at));
            }
            1 => {
                let piece = input[at..end.max(at)].to_vec();
                let times = if chance.one_in(12) { 1 + chance.below(3000) } else { 1 };
                input.splice(at..at, piece.repeat(times));
            }
            2 | 3 => {
                input.splice(at..at, word.iter().copied());
            }
            4 => {
                input.splice(at..end.max(at), word.iter().copied());
            }
            5 => {
                let other = chance.of(&self.inputs);
                let from = chance.below(other.len() + 1);
                let to = (from + chance.below(60)).min(other.len());
                input.splice(at..at, other[from..to].iter().copied());
            }
            6 => {
                let special =
                    ["%00", "%", "\u{0}", "\u{1}", "æ", "\u{1F600}", "\u{FFFD}", "\r\n", "\n", "\t", "''"];
                input.splice(at..at, chance.of(&special).bytes());
            }
            7 => {
                let number = [
                    "0",
                    "-1",
                    "1e999",
                    "1e-999",
                    "99999999999999999999999999999999999999",
                    "2147483648",
                    "-9223372036854775809",
                    "0.00000000000000000001",
                    "NaN",
                    "INF",
                    "1.5",
                ];
                input.splice(at..at, chance.of(&number).bytes());
            }
            8 if at < input.len() => input[at] ^= 1 << chance.below(8),
            _ => {
                let times = if chance.one_in(8) { 1 + chance.below(6000) } else { 1 + chance.below(4) };
                let opening = *chance.of(b"()<>'\"/=&[{%-");
                input.splice(at..at, std::iter::repeat_n(opening, times));
            }
        }
        input.truncate(LENGTH_MAX);
    }
}
