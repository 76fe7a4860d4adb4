//! A version of the schema as a process knows it, with what was answered of it.

use super::lock;
use flette_odata::Schema;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// All answers that are kept of one version of the schema, bytes; beyond that they are forgotten and kept anew.
const ANSWERS_BYTES_MAX: usize = 16 << 20;

/// A schema and its version.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) version: i64,
    pub(super) schema: Arc<Schema>,
    pub(super) answers: Arc<Answers>,
}

impl Known {
    pub(super) fn new(version: i64, schema: Arc<Schema>) -> Known {
        Known { version, schema, answers: Arc::default() }
    }
}

/// What was answered to those who asked about one version of the schema, by what they asked. It depends on nothing else: every device
/// asks for the same definitions when it begins, and each takes as long to write as a page of rows.
#[derive(Default)]
pub(crate) struct Answers {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    by_question: HashMap<String, Arc<[u8]>>,
    bytes: usize,
}

impl Answers {
    /// The answer to `question`, made by `make` when it is not kept.
    ///
    /// # Errors
    /// Those of `make`; they are not kept.
    pub(crate) fn get<E>(
        &self,
        question: &str,
        make: impl FnOnce() -> Result<Vec<u8>, E>,
    ) -> Result<Vec<u8>, E> {
        let found = lock(&self.kept).by_question.get(question).cloned();
        if let Some(answer) = found {
            return Ok(answer.to_vec());
        }
        let answer = make()?;
        lock(&self.kept).keep(question, &answer);
        Ok(answer)
    }
}

impl Kept {
    fn keep(&mut self, question: &str, answer: &[u8]) {
        let bytes = question.len() + answer.len();
        if self.bytes + bytes > ANSWERS_BYTES_MAX {
            *self = Kept::default();
        }
        if bytes <= ANSWERS_BYTES_MAX && self.by_question.insert(question.to_owned(), answer.into()).is_none()
        {
            self.bytes += bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(answers: &Answers, question: &str, answer: &Result<Vec<u8>, ()>) -> Result<Vec<u8>, ()> {
        answers.get(question, || answer.clone())
    }

    #[test]
    fn what_was_answered_once_is_not_made_again_and_errors_are() {
        let answers = Answers::default();
        assert_eq!(ask(&answers, "a", &Err(())), Err(()));
        assert_eq!(ask(&answers, "a", &Ok(vec![1])), Ok(vec![1]));
        assert_eq!(ask(&answers, "a", &Ok(vec![2])), Ok(vec![1]));
        assert_eq!(ask(&answers, "b", &Ok(vec![3])), Ok(vec![3]));
    }

    #[test]
    fn what_is_kept_stays_below_its_limit() {
        let answers = Answers::default();
        let half = ANSWERS_BYTES_MAX / 2;
        for question in ["a", "b", "c"] {
            ask(&answers, question, &Ok(vec![0; half])).unwrap();
            assert!(lock(&answers.kept).bytes <= ANSWERS_BYTES_MAX);
        }
        let sum = |kept: &Kept| kept.by_question.iter().map(|(q, a)| q.len() + a.len()).sum::<usize>();
        let kept = lock(&answers.kept);
        assert_eq!((sum(&kept), kept.by_question.contains_key("c")), (kept.bytes, true));
        drop(kept);
        ask(&answers, "whole", &Ok(vec![0; ANSWERS_BYTES_MAX])).unwrap();
        assert!(!lock(&answers.kept).by_question.contains_key("whole"));
    }
}
