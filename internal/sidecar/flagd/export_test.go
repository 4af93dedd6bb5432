package flagd

// Joined returns how many documents are kept, for tests.
func (d *Documents) Joined() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.joined)
}
