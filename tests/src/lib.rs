//! entrepot-tests
