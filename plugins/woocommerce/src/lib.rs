//! entrepot-woocommerce
