//! The hub's functions and the canonical records, generated from `wit/v1`.

// Generated code lowers values into linear memory.
#![allow(unsafe_code, clippy::all)]

wit_bindgen::generate!({
    inline: r#"
        package entrepot:sdk-imports;
        world guest {
            include entrepot:host/imports@1.0.0;
            import entrepot:types/base@1.0.0;
            import entrepot:types/commerce@1.0.0;
        }
    "#,
    path: ["../../wit/v1/types", "../../wit/v1/host"],
    world: "entrepot:sdk-imports/guest",
    additional_derives: [PartialEq],
    additional_derives_ignore: ["blob"],
    generate_unused_types: true,
    generate_all,
});
