"""Everything that touches the outside: settings, database, object store, models, web kit."""
