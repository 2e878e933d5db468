// Package op is the table of operators. It has one row of traits for every operator that some package tells from
// others. What an operator computes stands elsewhere: in shape rules, passes, the engine and the integer executor.
// These ask the table what they may rely on.
//
// A trait is a promise. A row without it promises nothing, even where mathematics would allow it. Adding a trait turns
// behaviour on and needs a test. The zero Row stands for operators without a row and promises nothing at all.
package op

// Any is the Max of an operator that takes any number of inputs. If its Min is not 0, none of them may be left out.
const Any = -1

// Row is what is known of one operator.
type Row struct {
	Domain string // "" for ONNX's own
	Name   string

	Min, Max int  // inputs that no version does without, and inputs of the version that takes most
	NoOutput bool // its first output may be left out

	Since   int64    // operator set that added it, 0: 7 or an earlier one
	Legacy  Legacy   // what becomes of nodes of the sets 7 to 12
	Moved   []string // attributes before set 13 that are inputs since, from input 1 on
	Changed int64    // set after 13 that gave its nodes another form, 0: none

	Kind   Kind   // of layer
	Form   Form   // of the result
	Batch  Batch  // what becomes of the leading dimension
	Stream Stream // how it computes between 8-bit streams
	Traits Trait

	Axis  int64   // AlongAxis: where the attribute is left out
	Floor float32 // Bounded: no element of the result is smaller
	Dip   float64 // how low an activation goes whose negative part is small, 0: attributes decide, or it is none
}

// Has reports whether the row has a trait.
func (r Row) Has(t Trait) bool { return r.Traits&t != 0 }

// key is what rows are looked up by.
type key struct{ domain, name string }

var table = index(activations, arithmetic, layers, norms, pools, moves, reductions, sources, sequences, codes, runtime)

func index(families ...[]Row) map[key]Row {
	all := map[key]Row{}
	for _, family := range families {
		for _, r := range family {
			all[key{r.Domain, r.Name}] = r
		}
	}
	return all
}

// Of is the row of an operator, the zero Row if there is none.
func Of(domain, name string) Row { return table[key{domain, name}] }

// Rows lists the table, in no order.
func Rows() []Row {
	list := make([]Row, 0, len(table))
	for _, r := range table {
		list = append(list, r)
	}
	return list
}
