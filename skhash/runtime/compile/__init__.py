"""From operations to jobs: layout, fusion, lowering, plan."""
