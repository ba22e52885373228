package rules

func text(id string) string   { return id }
func remedy(id string) string { return "" }
