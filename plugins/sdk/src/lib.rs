//! entrepot-sdk
