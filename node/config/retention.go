package config

// Retention says when what came to its end is deleted.
type Retention struct {
	Every     Duration `yaml:"every" default:"1h" min:"1s" doc:"How often the node looks for what has become too old; it also does when it starts."`
	In        Kept     `yaml:"in" doc:"Messages that arrived."`
	Out       Kept     `yaml:"out" doc:"Messages that were sent."`
	Groups    Duration `yaml:"groups" default:"30d" doc:"How long the node knows copies of the pieces of a large message, from the first piece on. 0: always."`
	DeadTasks Duration `yaml:"deadTasks" default:"90d" doc:"Age at which work that was given up is forgotten: signals that no partner took, notices that no back office took. 0: never."`
}

// Kept says how long messages of one direction are kept. Time counts from the last change of a message's state.
type Kept struct {
	Payloads Duration `yaml:"payloads" example:"30d" doc:"Age at which the payloads of a message that came to a good end are deleted: that was acknowledged, or confirmed by the back office, or written into its folder. Header, history and evidence stay. Default: never."`
	Messages Duration `yaml:"messages" example:"365d" doc:"Age at which such a message is deleted altogether, with its evidence. A copy that arrives later is taken for a new message. Default: never."`
	Failed   Duration `yaml:"failed" example:"365d" doc:"Age at which a message is deleted altogether that failed, was rejected, or was never fetched by the back office. Default: never."`
}

// Check implements [Checker].
func (k *Kept) Check(report func(key, format string, args ...any)) {
	if k.Messages > 0 && k.Payloads > k.Messages {
		report("payloads", "%s is longer than messages, %s: payloads go with their message", k.Payloads, k.Messages)
	}
}
