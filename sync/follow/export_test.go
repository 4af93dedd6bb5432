package follow

// Turns returns how often the loop of Run has gone round.
func (f *Follower) Turns() uint64 { return f.turns.Load() }
