package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/onnx/op"
)

// parsed is a file of this module.
type parsed struct {
	set  *token.FileSet
	file *ast.File
}

func (p parsed) line(at token.Pos) int { return p.set.Position(at).Line }

// sources are the files of all packages but some, tests left out, by path in the module.
func sources(t *testing.T, but []string) map[string]parsed {
	t.Helper()
	all := map[string]parsed{}
	for _, p := range packages(t) {
		name := local(p.ImportPath)
		if allows(but, name) {
			continue
		}
		for _, file := range p.GoFiles {
			set := token.NewFileSet()
			f, err := parser.ParseFile(set, filepath.Join(p.Dir, file), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			all[name+"/"+file] = parsed{set, f}
		}
	}
	return all
}

// mention is a place that names operators.
type mention struct {
	at      token.Pos
	names   []string
	context string
}

func rowNames() map[string]bool {
	names := map[string]bool{}
	for _, r := range op.Rows() {
		names[r.Name] = true
	}
	return names
}

// lists finds the places of a file that name more than mostNames operators.
func lists(f *ast.File) (found []mention) {
	known := rowNames()
	report := func(at token.Pos, words []string) {
		words = slices.DeleteFunc(slices.Clone(words), func(w string) bool { return !known[w] })
		slices.Sort(words)
		if words = slices.Compact(words); len(words) > mostNames {
			found = append(found, mention{at: at, names: words})
		}
	}
	inner := map[ast.Expr]bool{} // parts of a condition that was looked at as a whole
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			words := strings.FieldsFunc(text(n), func(r rune) bool { return r == ' ' || r == ',' })
			if !slices.ContainsFunc(words, func(w string) bool { return !known[w] }) {
				report(n.Pos(), words)
			}
		case *ast.CompositeLit:
			report(n.Pos(), elements(n))
		case *ast.CaseClause:
			report(n.Pos(), texts(n.List))
		case *ast.CallExpr:
			report(n.Pos(), texts(n.Args))
		case *ast.BinaryExpr:
			if !inner[n] {
				report(n.Pos(), compared(n, inner))
			}
		}
		return true
	})
	return found
}

// elements are the strings that a literal of strings has, or the keys of a map to what is no function.
func elements(l *ast.CompositeLit) (words []string) {
	switch kind := l.Type.(type) {
	case *ast.ArrayType:
		if named(kind.Elt, "string") {
			return texts(l.Elts)
		}
	case *ast.MapType:
		_, empty := kind.Value.(*ast.StructType)
		if empty || named(kind.Value, "bool", "string", "int", "int64", "float32", "float64") {
			return keys(l)
		}
	}
	return nil
}

func keys(l *ast.CompositeLit) (words []string) {
	for _, e := range l.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			words = append(words, text(kv.Key))
		}
	}
	return words
}

// compared are the strings of comparisons that a condition consists of.
func compared(e ast.Expr, inner map[ast.Expr]bool) []string {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return compared(e.X, inner)
	case *ast.UnaryExpr:
		return compared(e.X, inner)
	case *ast.BinaryExpr:
		inner[e] = true
		switch e.Op {
		case token.LOR, token.LAND:
			return append(compared(e.X, inner), compared(e.Y, inner)...)
		case token.EQL, token.NEQ:
			return texts([]ast.Expr{e.X, e.Y})
		}
	}
	return nil
}

// operatorName is what names of operators look like.
var operatorName = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*$|^[A-Z]{3,4}$`)

// mentions finds the places of a file where one operator is told from others, or a node of it is made.
func mentions(f *ast.File) (found []mention) {
	add := func(context string, list ...ast.Expr) {
		for _, e := range list {
			if name := text(e); operatorName.MatchString(name) {
				found = append(found, mention{e.Pos(), []string{name}, context})
			}
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			if (n.Op == token.EQL || n.Op == token.NEQ) && asksOperator(n.X) {
				add("comparison", n.Y)
			}
		case *ast.SwitchStmt:
			for _, s := range n.Body.List {
				if c, ok := s.(*ast.CaseClause); ok && asksOperator(n.Tag) {
					add("case", c.List...)
				}
			}
		case *ast.CompositeLit:
			literal(n, add)
		case *ast.CallExpr:
			if named(n.Fun, "node", "op", "isQuant", "addNode") && len(n.Args) > 0 {
				add("new node", n.Args[0])
			}
			if named(n.Fun, "isQuant") && len(n.Args) > 1 {
				add("comparison", n.Args[1])
			}
		}
		return true
	})
	return found
}

// literal finds the keys of registries, and the operators of new nodes.
func literal(l *ast.CompositeLit, add func(string, ...ast.Expr)) {
	kind, ok := l.Type.(*ast.MapType)
	if ok && named(kind.Key, "string") && named(kind.Value, "rule", "evalFunc", "func") {
		for _, e := range l.Elts {
			if kv, ok := e.(*ast.KeyValueExpr); ok {
				add("registry", kv.Key)
			}
		}
	}
	for _, e := range l.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok && named(kv.Key, "Op", "op") {
			add("new node", kv.Value)
		}
	}
}

// asksOperator reports whether an expression is the operator of a node.
func asksOperator(e ast.Expr) bool {
	if call, ok := e.(*ast.CallExpr); ok {
		return named(call.Fun, "Op", "Type")
	}
	return e != nil && named(e, "Op", "op")
}

// named reports whether an expression ends in one of some names; a function type is called func.
func named(e ast.Expr, names ...string) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return slices.Contains(names, e.Name)
	case *ast.SelectorExpr:
		return slices.Contains(names, e.Sel.Name)
	case *ast.FuncType:
		return slices.Contains(names, "func")
	}
	return false
}

// text is what a string literal says, else "".
func text(e ast.Expr) string {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return ""
	}
	s, err := strconv.Unquote(l.Value)
	if err != nil {
		return ""
	}
	return s
}

func texts(list []ast.Expr) []string {
	var words []string
	for _, e := range list {
		words = append(words, text(e))
	}
	return words
}
