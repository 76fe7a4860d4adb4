//! The conformance suite in the browser, over IndexedDB and over memory.

mod indexed_db {
    use flette::browser::IndexedDbStore;
    use flette::store::conformance::Backend;

    /// Databases of this run only.
    struct Databases {
        run: String,
    }

    impl Databases {
        fn new() -> Databases {
            Databases { run: uuid::Uuid::new_v4().to_string() }
        }
    }

    impl Backend for Databases {
        type Store = IndexedDbStore;

        async fn open(&self, name: &str) -> IndexedDbStore {
            IndexedDbStore::open(&format!("{} {name}", self.run)).await.expect("a database")
        }
    }

    flette::store_conformance!(browser, Databases::new());
}

mod memory {
    use flette::store::conformance::Backend;
    use flette::store::memory::MemoryStore;
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    #[derive(Default)]
    struct Memory {
        stores: RefCell<BTreeMap<String, MemoryStore>>,
    }

    impl Backend for Memory {
        type Store = MemoryStore;

        async fn open(&self, name: &str) -> MemoryStore {
            self.stores.borrow_mut().entry(name.to_owned()).or_default().clone()
        }
    }

    flette::store_conformance!(browser, Memory::default());
}
