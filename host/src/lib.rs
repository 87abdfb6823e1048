//! entrepot
