package resolver

// Effective is effective, for tests.
func (q *Request) Effective(data []byte) ([]byte, error) { return q.effective(data) }
