package workspace

// Cached returns what is stored in a file of the workspace under key, else measures it and stores it. What
// cannot be read is measured anew.
func Cached[T any](w *Workspace, name, key string, measure func() (T, error)) (T, error) {
	var entry struct {
		Key   string `json:"key"`
		Value T      `json:"value"`
	}
	if w.ReadJSON(name, &entry) == nil && entry.Key == key {
		return entry.Value, nil
	}
	var err error
	if entry.Value, err = measure(); err != nil {
		return entry.Value, err
	}
	entry.Key = key
	return entry.Value, w.WriteJSON(name, entry)
}
