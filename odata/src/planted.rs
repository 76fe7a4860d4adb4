//! Bugs planted on purpose, to see whether the simulation finds them. Without the feature `planted-bugs` there are none:
//! the question is answered with `false` when the code is compiled.

/// The catalogue: each breaks one promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// A change is acknowledged before it is on the disk.
    AnswerBeforeDurable,
    /// The place in the feed is stored before the rows that it covers.
    TokenBeforeRows,
    /// The receipt is not in the transaction of the effect, and lost.
    ReceiptApart,
    /// What is sent again gets another operation id.
    NewIdOnRetry,
    /// Deletions in the feed are passed over.
    TombstoneIgnored,
    /// Tokens from before forgotten deletions stay good.
    TombstonePrunedEarly,
    /// Of several edits of a field the oldest base is lost.
    OldValueLost,
    /// Of two edits that one wins which comes later, whenever it was made.
    ArrivalWins,
    /// Children are sent before their parents.
    ChildBeforeParent,
    /// 412 counts as success.
    ConflictIsSuccess,
    /// An edit of a deleted row makes it again.
    GoneIsMadeAgain,
    /// What would be parked is dropped.
    ParkedIsDropped,
    /// A session that has run out parks what was to be sent.
    SignInUsesUpAttempts,
    /// The last row of a page is lost.
    PageBorderSkipped,
    /// The feed takes a transaction for told that began before others and is committed after them (PostgreSQL only).
    CommitsOutOfOrder,
    /// Commits do not look whether somebody else has written.
    NoFencing,
    /// The clock forgets its last stamp and what it measured.
    ClockNotStored,
    /// Rows that leave somebody's sight are not told.
    RemovalNotSent,
    /// Whoever is signed in, the journal is sent.
    OtherUserPushes,
    /// A handle to the database that the browser has closed is used again.
    ClosedHandleKept,
    /// A full disk is taken for a commit.
    QuotaSwallowed,
    /// A resync is shown half-way.
    ShadowShown,
    /// A restored database is taken for the old one.
    LineageIgnored,
    /// Updates send the whole row.
    WholeRowSent,
    /// Answers in a batch are told apart by their place alone.
    PartsByPosition,
    /// A page that was cut is taken for a whole one.
    CutAccepted,
    /// Decimals in the mirror went through floats.
    DecimalThroughFloat,
    /// The mirror tells upper case from lower.
    OtherCaseRules,
    /// Whatever is answered with 200 was done, a sign-in page included.
    LoginPageIsSuccess,
    /// One refused change holds up all others.
    RefusalStopsQueue,
    /// "Synchronised" is said while a pull is due.
    SyncedTooEarly,
    /// Stamps from the future are taken as they are.
    FutureStamp,
    /// A column that is hidden from somebody keeps the value that he saw.
    MaskedFieldKept,
    /// Lookups keep the ids that only this device knows.
    LocalIdSent,
    /// The changes of a change set are sent one by one.
    ChangeSetTorn,
    /// What only means something together is merged one by one.
    LinesApart,
    /// A deletion wins, however old it is.
    DeletionAlwaysWins,
    /// Of a conflict nothing is written down.
    LoserNotKept,
    /// A user does not see what he has written until the server has it.
    OwnEditUnseen,
    /// What could not be written to the disk stays in memory.
    FailedWriteShown,
}

impl Bug {
    /// Every bug with its number in the catalogue and its name.
    pub const ALL: [(u8, &'static str, Bug); 40] = [
        (1, "answer-before-durable", Bug::AnswerBeforeDurable),
        (2, "token-before-rows", Bug::TokenBeforeRows),
        (3, "receipt-apart", Bug::ReceiptApart),
        (4, "new-id-on-retry", Bug::NewIdOnRetry),
        (5, "tombstone-ignored", Bug::TombstoneIgnored),
        (6, "tombstone-pruned-early", Bug::TombstonePrunedEarly),
        (7, "old-value-lost", Bug::OldValueLost),
        (8, "arrival-wins", Bug::ArrivalWins),
        (9, "child-before-parent", Bug::ChildBeforeParent),
        (10, "conflict-is-success", Bug::ConflictIsSuccess),
        (11, "gone-is-made-again", Bug::GoneIsMadeAgain),
        (12, "parked-is-dropped", Bug::ParkedIsDropped),
        (13, "sign-in-uses-up-attempts", Bug::SignInUsesUpAttempts),
        (14, "page-border-skipped", Bug::PageBorderSkipped),
        (15, "commits-out-of-order", Bug::CommitsOutOfOrder),
        (16, "no-fencing", Bug::NoFencing),
        (17, "clock-not-stored", Bug::ClockNotStored),
        (18, "removal-not-sent", Bug::RemovalNotSent),
        (19, "other-user-pushes", Bug::OtherUserPushes),
        (20, "closed-handle-kept", Bug::ClosedHandleKept),
        (21, "quota-swallowed", Bug::QuotaSwallowed),
        (22, "shadow-shown", Bug::ShadowShown),
        (23, "lineage-ignored", Bug::LineageIgnored),
        (24, "whole-row-sent", Bug::WholeRowSent),
        (25, "parts-by-position", Bug::PartsByPosition),
        (26, "cut-accepted", Bug::CutAccepted),
        (27, "decimal-through-float", Bug::DecimalThroughFloat),
        (28, "other-case-rules", Bug::OtherCaseRules),
        (31, "login-page-is-success", Bug::LoginPageIsSuccess),
        (32, "refusal-stops-queue", Bug::RefusalStopsQueue),
        (33, "synced-too-early", Bug::SyncedTooEarly),
        (34, "future-stamp", Bug::FutureStamp),
        (35, "masked-field-kept", Bug::MaskedFieldKept),
        (36, "local-id-sent", Bug::LocalIdSent),
        (37, "change-set-torn", Bug::ChangeSetTorn),
        (38, "lines-apart", Bug::LinesApart),
        (39, "deletion-always-wins", Bug::DeletionAlwaysWins),
        (40, "loser-not-kept", Bug::LoserNotKept),
        (41, "own-edit-unseen", Bug::OwnEditUnseen),
        (42, "failed-write-shown", Bug::FailedWriteShown),
    ];

    /// Those that show in values only: both doors' tests hunt them, as the simulation's values are plain.
    pub const OF_VALUES: [Bug; 2] = [Bug::DecimalThroughFloat, Bug::OtherCaseRules];

    /// Those of what the simulation does without: PostgreSQL, and a browser. The tests of each hunt them.
    pub const OF_THE_GROUND: [Bug; 2] = [Bug::CommitsOutOfOrder, Bug::ClosedHandleKept];
}

/// Whether a bug is planted in this thread. Never, without the feature.
#[cfg(not(feature = "planted-bugs"))]
#[inline(always)]
pub const fn planted(_: Bug) -> bool {
    false
}

#[cfg(feature = "planted-bugs")]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Bug>> = const { std::cell::Cell::new(None) };
}

/// Whether a bug is planted in this thread.
#[cfg(feature = "planted-bugs")]
pub fn planted(bug: Bug) -> bool {
    PLANTED.with(|planted| planted.get() == Some(bug))
}

/// Plants a bug in this thread in place of the one before.
#[cfg(feature = "planted-bugs")]
pub fn plant(bug: Option<Bug>) {
    PLANTED.with(|planted| planted.set(bug));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bug_is_listed_once_in_the_order_of_the_catalogue() {
        assert!(Bug::ALL.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].2 != pair[1].2));
    }

    #[cfg(not(feature = "planted-bugs"))]
    #[test]
    fn nothing_is_planted_without_the_feature() {
        assert!(Bug::ALL.iter().all(|(_, _, bug)| !planted(*bug)));
    }
}
