comodal_test(plan/planning)
