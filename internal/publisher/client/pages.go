package client

// pageSize is how many items are asked for at once where all are wanted: as many as the API gives.
const pageSize = 1000

// all returns a list that is asked for in parts, of which each begins after the last.
func all[T any](part func(after string) (items []T, next string, err error)) ([]T, error) {
	list, after := []T{}, ""
	for {
		items, next, err := part(after)
		if err != nil {
			return nil, err
		}
		list = append(list, items...)
		if next == "" || next == after {
			return list, nil
		}
		after = next
	}
}
