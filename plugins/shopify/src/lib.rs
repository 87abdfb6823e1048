//! entrepot-shopify
