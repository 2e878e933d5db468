package dataset

import (
	"errors"
	"fmt"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/models"
)

// Splits, as Options.Split takes them.
const (
	Train = "train" // what training, calibration and search may see
	Val   = "val"   // only where the data has a split of that name
	Test  = "test"  // held out: the test split, else the validation split, else a seeded share of everything
	All   = "all"
	// HeldOut is what neither training nor calibration nor search sees and tells how well they did: the validation split of data
	// that has a test split, too, else the pictures of Train that Options.Reserve takes away; empty where there are none.
	HeldOut = "judge"
)

// Options says which pictures of a data set are wanted and in which form.
type Options struct {
	Preprocessing models.Preprocessing
	// Shape of one sample as the model takes it, without the batch; -1 is unknown. nil: that of the first picture.
	Shape tensor.Shape
	// Split is one of the constants; "" is All.
	Split string
	// Holdout is the share of the pictures, between 0 and 1, that becomes Test where the data has no test or validation
	// split.
	Holdout float64
	// Develop is how many pictures of Train stand in for Test, which stays unread. Which ones does not depend on Seed, so that
	// runs of several seeds can be compared.
	Develop int
	// Reserve keeps a share of Train apart for HeldOut.
	Reserve bool
	// Seed chooses the pictures of the hold-out.
	Seed uint64
	// Input is the name of the model's input, the array that is read from an .npz file.
	Input string
	// MaxMemory is the most bytes that the whole run may take, of which pictures get a share; 0: what the machine has.
	MaxMemory int64
}

// Validate lists everything that is wrong with the options.
func (o Options) Validate() error {
	var errs []error
	switch o.Split {
	case "", Train, Val, Test, All, HeldOut:
	default:
		errs = append(errs, fmt.Errorf("unknown split %q", o.Split))
	}
	if !(o.Holdout >= 0 && o.Holdout <= 1) {
		errs = append(errs, fmt.Errorf("hold-out %v is not between 0 and 1", o.Holdout))
	}
	if o.Develop < 0 {
		errs = append(errs, fmt.Errorf("%d pictures for development are negative", o.Develop))
	}
	if len(o.Shape) > 3 {
		errs = append(errs, fmt.Errorf("a sample of shape %s has more than three dimensions", o.Shape))
	}
	if err := o.Preprocessing.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("preprocessing: %w", err))
	}
	return errors.Join(errs...)
}
