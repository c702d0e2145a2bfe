//! Luau: compiles scripts, runs calls as coroutines under budgets.
