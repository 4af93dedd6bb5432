package fleet

import "fmt"

// Weighed returns how often a report was weighed against a change.
func (t *Table) Weighed() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.history.weighed
}

// Recount counts anew what is counted as reports come, and returns what differs.
func (t *Table) Recount() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.history.changes {
		reached, served := 0, 0
		for _, r := range t.rows {
			if reaches(r.report.Position, c.Position) {
				reached++
			}
			if t.history.lack(r.report, c.Position) == "" {
				served++
			}
		}
		if c.count != reached || c.count-c.lacking != served {
			return fmt.Errorf("revision %d: %d have reached it, counted are %d; %d serve it, counted are %d", c.Position.Revision, reached, c.count, served, c.count-c.lacking)
		}
	}
	return nil
}
