//! What the engine has switched off stays off: each proposal, in the smallest module that uses it, is refused by the compiler.

use entrepot::plugins::compile::Error;
use wasm_encoder::{
    CodeSection, Component, CompositeInnerType, CompositeType, Function, FunctionSection, Instruction, MemorySection, MemoryType, Module,
    ModuleSection, StructType, SubType, TagKind, TagSection, TagType, TypeSection,
};

use crate::rig::{engine, uncached};

fn memory(memory64: bool, shared: bool) -> MemoryType {
    MemoryType { minimum: 1, maximum: Some(1), memory64, shared, page_size_log2: None }
}

fn with_memories(memories: &[MemoryType]) -> Module {
    let mut section = MemorySection::new();
    for memory in memories {
        section.memory(*memory);
    }
    let mut module = Module::new();
    module.section(&section);
    module
}

/// One function without parameters and results, and a tag of its type where asked for.
fn with_body(instructions: &[Instruction], tag: bool) -> Module {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut body = Function::new([]);
    for instruction in instructions {
        body.instruction(instruction);
    }
    body.instruction(&Instruction::End);
    let mut code = CodeSection::new();
    code.function(&body);
    let mut module = Module::new();
    module.section(&types).section(&functions);
    if tag {
        module.section(TagSection::new().tag(TagType { kind: TagKind::Exception, func_type_idx: 0 }));
    }
    module.section(&code);
    module
}

fn with_struct() -> Module {
    let composite = CompositeType {
        inner: CompositeInnerType::Struct(StructType { fields: Box::new([]) }),
        shared: false,
        descriptor: None,
        describes: None,
    };
    let mut types = TypeSection::new();
    types.ty().subtype(&SubType { is_final: true, supertype_idx: None, composite_type: composite });
    let mut module = Module::new();
    module.section(&types);
    module
}

fn component(module: &Module) -> Vec<u8> {
    let mut component = Component::new();
    component.section(&ModuleSection(module));
    component.finish()
}

#[tokio::test]
async fn proposals_that_connectors_do_not_need_are_refused() {
    let engine = engine();
    let compiler = uncached(&engine);
    let vector = Instruction::V128Const(0);
    for (name, module) in [
        ("memory64", with_memories(&[memory(true, false)])),
        ("threads", with_memories(&[memory(false, true)])),
        ("tail calls", with_body(&[Instruction::ReturnCall(0)], false)),
        ("exceptions", with_body(&[Instruction::Throw(0)], true)),
        ("garbage collection", with_struct()),
        ("relaxed SIMD", with_body(&[vector.clone(), vector, Instruction::I8x16RelaxedSwizzle, Instruction::Drop], false)),
    ] {
        let refused = compiler.component(&component(&module)).await.map(|_| ());
        assert!(matches!(refused, Err(Error::Refused(_))), "{name}: {refused:?}");
    }
    // Of use to other tool chains, so it stays.
    compiler.component(&component(&with_memories(&[memory(false, false), memory(false, false)]))).await.unwrap();
}
