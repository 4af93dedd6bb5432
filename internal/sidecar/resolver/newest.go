package resolver

// Newest reports whether the view that q stands on is still the newest.
func (q *Request) Newest() bool { return q.view == q.resolver.views.View() }
