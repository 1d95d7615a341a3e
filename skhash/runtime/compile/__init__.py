"""The compiler: layout, fusion, lowering of operations to jobs, and the plan that runs them."""
