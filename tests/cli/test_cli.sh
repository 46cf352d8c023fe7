#!/bin/sh
# The command line as a user meets it: sh test_cli.sh PROGRAM. Everything happens in a temporary folder.
set -eu
comodal=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
cd "$work"
export OMP_WAIT_POLICY=passive

fail() { echo "FAILED: $1" >&2; exit 1; }
# refuses STATUS WORDS COMMAND...: the command ends with STATUS and its stderr or stdout has WORDS.
refuses() {
  status=$1; words=$2; shift 2
  got=0
  "$@" >out.txt 2>&1 || got=$?
  [ "$got" = "$status" ] || { cat out.txt >&2; fail "status $got, expected $status: $*"; }
  grep -q -- "$words" out.txt || { cat out.txt >&2; fail "expected '$words' from: $*"; }
}

# killed FOLDER CONDITION ARGUMENTS...: a run in FOLDER, killed with -9 as soon as CONDITION holds and before it is over.
killed() {
  folder=$1; condition=$2; shift 2
  "$comodal" train tiny.toml "$folder" "$@" >/dev/null 2>&1 &
  pid=$!
  n=0
  while ! eval "$condition" 2>/dev/null && [ $n -lt 1500 ]; do sleep 0.02; n=$((n + 1)); done
  kill -9 $pid 2>/dev/null || true
  wait $pid 2>/dev/null || true
  [ ! -e "$folder/model.safetensors" ] || fail "$folder: the run was over before it could be killed"
}

"$comodal" phantom cohort --seed 3 --phantom.grid '[32, 32, 16]' --phantom.spacing '[5.0, 5.0, 9.0]' --phantom.labelled 2 \
  --phantom.unlabelled 3 --phantom.test 2 >/dev/null
cat >tiny.toml <<'T'
[data]
folder = "cohort"
[model]
stream_channels = [2, 4]
fused_channels = [4, 8]
[batch]
patch_size = [16, 16, 8]
[prefetch]
threads = 1
[train]
steps = 40
log_every = 5
checkpoint_every = 3
T

echo "threads: too many or too small ones are one line and status 2, and waiting ones sleep"
refuses 2 "^comodal: runtime: threads = 100000, expected 0 (all cores) to 1024$" "$comodal" train tiny.toml crowd --compute.threads 100000
refuses 2 "^comodal: runtime: OMP_NUM_THREADS asks for 100000 threads, expected at most 1024$" env OMP_NUM_THREADS=100000 "$comodal" check cohort
refuses 2 "^comodal: runtime: the stack of a thread has .* KiB, expected at least 256: set OMP_STACKSIZE" \
  env OMP_STACKSIZE=16k OMP_NUM_THREADS=2 "$comodal" train tiny.toml crowd
[ ! -e crowd ] || fail "a refused run leaves a folder"
OMP_NUM_THREADS=1000 "$comodal" info >out.txt
[ "$(sed -n 's/^host threads //p' out.txt)" -le "$(n=$(nproc); echo $((n > 8 ? n : 8)))" ] || { cat out.txt >&2; fail "1000 threads are used"; }
# waits CHOICE: OpenMP was loaded with this policy.
waits() { grep "OMP_WAIT_POLICY" out.txt | tail -1 | grep -qi "= '$1'" || { cat out.txt >&2; fail "OMP_WAIT_POLICY is not $1"; }; }
spins() { grep GOMP_SPINCOUNT out.txt | tail -1 | grep -q "= '300'"; }
env -u OMP_WAIT_POLICY OMP_DISPLAY_ENV=verbose "$comodal" info >out.txt 2>&1
waits passive
if grep -q GOMP_SPINCOUNT out.txt; then spins || { cat out.txt >&2; fail "threads do not spin for a moment first"; }; fi
OMP_WAIT_POLICY=active OMP_DISPLAY_ENV=verbose "$comodal" info >out.txt 2>&1
waits active
! spins || fail "a choice of the user is changed"

echo "bad input is one line and status 2"
refuses 2 "did you mean 'train.steps'" "$comodal" train tiny.toml run --train.stesp 3
refuses 2 "there is no key 'optimiser.rate'; it is called 'optimiser.learning_rate' now" "$comodal" train tiny.toml run --optimiser.rate 0.1
refuses 2 "there is no key 'batch.patch'; it is called 'batch.patch_size' now" "$comodal" train tiny.toml run --batch.patch '[16, 16, 8]'
refuses 2 "there is no key 'mix'; it is called 'augment.mix' now" "$comodal" train tiny.toml run --mix none
refuses 2 "there is no key 'method.ema'; it is called 'method.<method>.ema_decay' now" "$comodal" train tiny.toml run --method.ema 0.9
refuses 2 "batch.labelled and batch.unlabelled say how many" "$comodal" train tiny.toml run --train.batch_size 4
refuses 2 "the length of a run is 'train.steps'" "$comodal" train tiny.toml run --epochs 4
refuses 2 "did you mean 'method.contrastive_mutual_learning.ema_decay'" \
  "$comodal" train tiny.toml run --method.contrastive_mutual_learning.ema 0.8
refuses 2 "did you mean 'optimiser.clip'" "$comodal" train tiny.toml run --train.clip 3
refuses 2 "did you mean 'optimiser.momentum'" "$comodal" train tiny.toml run --train.momentun 0.8
refuses 2 "no such experiment file" "$comodal" train absent.toml run
refuses 2 "data.folder = .nowhere.: there is no such folder" "$comodal" train tiny.toml run --data.folder nowhere
mkdir empty_folder
refuses 2 "is of no layout that this program reads (decathlon, nnunet-raw, brats, case-list, case-folders); an nnU-Net raw folder has a dataset.json" "$comodal" check empty_folder
refuses 2 "no multiple of the network's total stride" "$comodal" train tiny.toml run --batch.patch_size '[16, 16, 7]'
refuses 2 "optimiser.name = 'sdg': this program has no optimiser of that name; did you mean 'sgd'? It has: sgd, adamw" "$comodal" train tiny.toml wrong --optimiser.name sdg
refuses 2 "model.fusion = 'gaetd': this program has no fusion block of that name; did you mean 'gated'?" "$comodal" train tiny.toml wrong --model.fusion gaetd
refuses 2 "model.encoder = 'resnet': this program has no encoder of that name" "$comodal" train tiny.toml wrong --model.encoder resnet
refuses 2 "model.preset = 'resenc_k': this program has no preset of networks of that name; did you mean 'resenc_" "$comodal" train tiny.toml wrong --model.preset resenc_k
refuses 2 "augment.preset = 'nnunett': this program has no set of augmentation of that name; did you mean 'nnunet'?" "$comodal" train tiny.toml wrong --augment.preset nnunett
refuses 2 "model.blocks: 1 entries, expected 2" "$comodal" train tiny.toml wrong --model.blocks '[3]'
refuses 2 "method.name = 'mean_techer': this program has no method of that name; did you mean 'mean_teacher'?" "$comodal" train tiny.toml wrong --method.name mean_techer
refuses 2 "loss.segmentation = 'dice': this program has no segmentation loss of that name" "$comodal" train tiny.toml wrong --loss.segmentation dice
refuses 2 "data.normalise = 'histogram': this program has no normalisation of that name" "$comodal" train tiny.toml wrong --data.normalise '["histogram"]'
refuses 2 "command line: 'method.mean_teacher.ramp': belongs to the method 'mean_teacher', but method.name = 'contrastive_mutual_learning'" "$comodal" train tiny.toml wrong --method.mean_teacher.ramp 0.5
refuses 2 "batch.patch_size = 0: expected from 1 to 1024 voxels" "$comodal" train tiny.toml wrong --batch.patch_size '[0, 16, 8]'
refuses 2 "prefetch.depth = 0: expected 1 to 1024" "$comodal" train tiny.toml wrong --prefetch.depth 0
refuses 2 "model.precision: 'bf61', expected fp32, tf32 or bf16" "$comodal" train tiny.toml wrong_too --model.precision bf61
refuses 2 "is not a whole number" "$comodal" train tiny.toml run --train.steps many
if "$comodal" info | grep -q "^device: "; then
  refuses 2 "device 1023 was asked for, expected 0 to" "$comodal" train tiny.toml wrong --device 1023
else
  refuses 2 "device 0 was asked for, but this program computes on the host" "$comodal" train tiny.toml wrong --device 0
fi
refuses 2 "model.strides: 0, expected 1 to 64" "$comodal" train tiny.toml run --model.strides '[[0, 2, 2]]'
refuses 2 "model.strides: 2 entries, expected 1" "$comodal" train tiny.toml run --model.strides '[[2, 2, 2], [2, 2, 2]]'
refuses 2 "data.normalise: 2 entries for 4 modalities" "$comodal" train tiny.toml run --data.normalise '["head", "ct"]'
refuses 2 "data.margin = -20, expected 0 to 8192" "$comodal" train tiny.toml run --data.margin -20
[ ! -e run ] || fail "a refused run leaves a folder"
refuses 2 "exists already" "$comodal" phantom cohort
refuses 2 "nowhere: there is no such folder of masks" "$comodal" evaluate nowhere --labels cohort/labelsTs

echo "check reports every bad file in one run, and train refuses with the same words"
"$comodal" check cohort >/dev/null || fail "a good cohort is refused"
cp -r cohort broken
head -c 2000 broken/imagesTr/phantom_0000_0000.nii.gz >cut && mv cut broken/imagesTr/phantom_0000_0000.nii.gz
echo "<html>" >broken/imagesTr/phantom_0002_0001.nii.gz
refuses 2 "2 errors" "$comodal" check broken
grep -q "phantom_0000_0000.nii.gz: " out.txt || fail "the truncated file is not named"
grep -q "phantom_0002_0001.nii.gz: " out.txt || fail "the HTML file is not named"
words=$(grep "phantom_0000_0000.nii.gz" out.txt)
refuses 2 "phantom_0000_0000.nii.gz" "$comodal" train tiny.toml refused --data.folder broken
grep -qF -- "${words#error: }" out.txt || fail "train refuses in other words than check"

echo "data sets of other layouts, and a folder of links to them"
mkdir listed
printf 'case,t1,flair,label,set\n' >listed/cases.csv
for image in cohort/imagesTr/*_0000.nii.gz; do
  id=$(basename "$image" _0000.nii.gz)
  mkdir "listed/$id"
  cp "$image" "listed/$id/${id}_t1.nii.gz"
  [ ! -e "cohort/imagesTr/${id}_0001.nii.gz" ] || cp "cohort/imagesTr/${id}_0001.nii.gz" "listed/$id/${id}_flair.nii.gz"
  [ ! -e "cohort/labelsTr/$id.nii.gz" ] || cp "cohort/labelsTr/$id.nii.gz" "listed/$id/${id}_seg.nii.gz"
  flair=$([ ! -e "listed/$id/${id}_flair.nii.gz" ] || echo "$id/${id}_flair.nii.gz")
  label=$([ ! -e "listed/$id/${id}_seg.nii.gz" ] || echo "$id/${id}_seg.nii.gz")
  printf '%s,%s,%s,%s,\n' "$id" "$id/${id}_t1.nii.gz" "$flair" "$label" >>listed/cases.csv
done
patterns="--images t1=*_t1.nii.gz flair=*_flair.nii.gz --label *_seg.nii.gz"
set -f
"$comodal" check listed $patterns --classes a=1 b=2 c=3 d=4 >by_patterns.txt || { cat by_patterns.txt >&2; fail "folders per case are refused"; }
grep -q "^listed: case-folders, [0-9]* training cases" by_patterns.txt || fail "the layout is not named"
"$comodal" import listed/cases.csv from_list --classes a=1 b=2 c=3 d=4 >/dev/null || fail "a list is not imported"
"$comodal" import listed from_folders $patterns --classes a=1 b=2 c=3 d=4 >/dev/null || fail "folders are not imported"
set +f
diff -r from_list from_folders >/dev/null || fail "one data set in two layouts is imported differently"
"$comodal" check from_list >/dev/null || fail "what was imported is refused"
refuses 2 "fits no file in listed" "$comodal" check listed --images "t1=*_T1w*"
refuses 2 "is not empty; name a new folder" "$comodal" import listed/cases.csv from_list --classes a=1
refuses 2 "says nothing of its label values; name the classes with data.classes" "$comodal" train tiny.toml no_run --data.folder listed/cases.csv --data.splits '' --data.labelled '[]' --data.validation '[]'

echo "labels in which not all classes are annotated"
"$comodal" phantom partial --seed 3 --phantom.grid '[32, 32, 16]' --phantom.spacing '[5.0, 5.0, 9.0]' --phantom.labelled 2 \
  --phantom.unlabelled 3 --phantom.test 0 --phantom.oedema_labelled 0.5 >/dev/null
cmp cohort/labelsTr/phantom_0000.nii.gz partial/labelsTr/phantom_0000.nii.gz || fail "a case with oedema has another label"
"$comodal" train tiny.toml partial_run --data.folder partial --data.partial partial.json --train.steps 2 >out.txt 2>&1 || fail "training on partial labels"
grep -q "2 labelled, 4 unlabelled" out.txt || { cat out.txt >&2; fail "a case with some classes is not an unlabelled one too"; }
cp cohort/labelsTr/phantom_0001.nii.gz partial/labelsTr/phantom_0001.nii.gz
refuses 2 "phantom_0001.nii.gz: holds .* voxels of 'oedema', which is not annotated in case phantom_0001" \
  "$comodal" train tiny.toml partial_wrong --data.folder partial --data.partial partial.json
echo '{"phantom_0001": []}' >partial/empty.json
refuses 2 "empty.json: case phantom_0001: its list is empty" "$comodal" train tiny.toml partial_wrong --data.folder partial --data.partial empty.json
[ ! -e partial_wrong ] || fail "a refused run leaves a folder"

echo "train says what check warns of"
cp -r cohort doubtful
mv doubtful/labelsTr/phantom_0001.nii.gz doubtful/labelsTr/phantom_0001.nii.gz.old
"$comodal" train tiny.toml doubtful_run --data.folder doubtful --train.steps 1 >out.txt 2>&1 || fail "training beside a file that is ignored"
grep -q "warning: .*phantom_0001.nii.gz.old: is ignored" out.txt || { cat out.txt >&2; fail "train ignores a file without a word"; }

echo "a run that is killed and resumed ends with the bytes of an unbroken one"
"$comodal" train tiny.toml whole >/dev/null 2>&1
killed broken_off "[ -e broken_off/checkpoint.safetensors ]"
"$comodal" train tiny.toml broken_off --resume >/dev/null 2>&1
cmp whole/model.safetensors broken_off/model.safetensors || fail "the resumed run has other weights"
decay=method.contrastive_mutual_learning.ema_decay
refuses 2 "begun with $decay = 0.99, now it would be $decay = 0.9" \
  "$comodal" train tiny.toml broken_off --resume --method.contrastive_mutual_learning.ema_decay 0.9
! grep -q "^reading" out.txt || fail "other settings are refused only after all cases were read"
refuses 2 "belongs to the method .mean_teacher." "$comodal" train tiny.toml wrong_too --method.mean_teacher.contrast 0.2
refuses 2 "method.mean_teacher.ramp = nan, expected a number from 0 to 1" \
  "$comodal" train tiny.toml wrong_too --method.name mean_teacher --method.mean_teacher.ramp nan
OMP_NUM_THREADS=1 "$comodal" train tiny.toml one_thread >/dev/null 2>&1
cmp whole/model.safetensors one_thread/model.safetensors || fail "one thread gives other weights than several"
"$comodal" train whole/experiment.toml again >/dev/null 2>&1
cmp whole/model.safetensors again/model.safetensors || fail "the resolved experiment file gives another run"

echo "the teacher's stored masks survive a kill, too"
set -- --sampling.unlabelled teacher --train.log_every 1
"$comodal" train tiny.toml guided "$@" >/dev/null 2>&1
grep -q "guide.0" guided/checkpoint.safetensors || fail "a checkpoint has no masks of the teacher"
! cmp -s whole/model.safetensors guided/model.safetensors || fail "sampling by the teacher's masks changes nothing"
killed guided_off 'grep -q "^2[0-9]," guided_off/log.csv' "$@"
grep -q "guide.0" guided_off/checkpoint.safetensors || fail "the guided run was killed before it stored a mask"
"$comodal" train tiny.toml guided_off "$@" --resume >/dev/null 2>&1
cmp guided/model.safetensors guided_off/model.safetensors || fail "the resumed guided run has other weights"

echo "a run in bf16 is its own, resumes to the byte, keeps its weights in float and predicts in bf16"
"$comodal" train tiny.toml whole16 --model.precision bf16 >/dev/null 2>&1
killed broken16 "[ -e broken16/checkpoint.safetensors ]" --model.precision bf16
"$comodal" train tiny.toml broken16 --model.precision bf16 --resume >/dev/null 2>&1
cmp whole16/model.safetensors broken16/model.safetensors || fail "the resumed run in bf16 has other weights"
! cmp -s whole16/model.safetensors whole/model.safetensors || fail "bf16 gives the weights of fp32"
! grep -q '"BF16"' whole16/model.safetensors || fail "weights are written in bf16"
"$comodal" info whole16/model.safetensors | grep -q "parameters, bf16" || fail "info does not say bf16"
"$comodal" predict whole16/model.safetensors cohort/imagesTs whole16/predictions --branches >/dev/null
"$comodal" info | grep -q "^bf16: a usual convolution runs on the" || fail "info does not say what bf16 runs on"

echo "a run whose settings have the names of 0.1.0 goes on"
killed old_names "[ -e old_names/checkpoint.safetensors ]"
sed 's/^learning_rate/rate/; s/^weight_decay/decay/; s/^patch_size/patch/; s/^kernel_size/filters/; s/^ema_decay/ema/
  /^\[method.contrastive_mutual_learning\]$/d; /^disagree /d; /^contrast_kind /d; /^contrast_stages /d; /^positions /d' old_names/experiment.toml >old.toml
grep -q "^ema = 0.99" old.toml || fail "the old names are not there"
cp old.toml old_names/experiment.toml
refuses 2 "begun with method.contrastive_mutual_learning.ema_decay = 0.99, now it would be .* = 0.9;" \
  "$comodal" train tiny.toml old_names --resume --method.contrastive_mutual_learning.ema_decay 0.9
"$comodal" train tiny.toml old_names --resume >out.txt 2>&1 || { cat out.txt >&2; fail "the run is not taken up"; }
cmp whole/model.safetensors old_names/model.safetensors || fail "the run with old names has other weights"
refuses 2 "there is no key '.*'; it is called '.*' now" "$comodal" train old.toml wrong
killed old_supervised "[ -e old_supervised/checkpoint.safetensors ]" --method.name supervised
awk '{ print } /^name = "supervised" / { print "ramp = 0.4"; print "consensus = 0.5" }' old_supervised/experiment.toml >old.toml
grep -q "^consensus = 0.5" old.toml || fail "the options of another method are not there"
cp old.toml old_supervised/experiment.toml
"$comodal" train tiny.toml old_supervised --resume --method.name supervised >out.txt 2>&1 || { cat out.txt >&2; fail "a supervised run of 0.1.0 is not taken up"; }

echo "a name and a table that are none are refused, empty or not"
printf '[train.steps]\n' >empty_table.toml
refuses 2 "empty_table.toml:1: train.steps is not a whole number" "$comodal" train empty_table.toml wrong --data.folder cohort
printf '[method.mean_teacher]\n' >empty_table.toml
refuses 2 "belongs to the method 'mean_teacher'" "$comodal" train empty_table.toml wrong --data.folder cohort
printf '[train]\n' >empty_table.toml
refuses 2 "data.folder is not set" "$comodal" train empty_table.toml wrong
refuses 2 "loss.consistency = 'cross_pseudo_supervision': the method 'contrastive_mutual_learning' uses no consistency loss" \
  "$comodal" train tiny.toml wrong --loss.consistency cross_pseudo_supervision
refuses 2 "batch.unlabelled = 9: the method 'contrastive_mutual_learning' needs as many unlabelled cases, and cohort has 3" \
  "$comodal" train tiny.toml wrong --batch.unlabelled 9
! grep -q "^reading" out.txt || fail "volumes are read before the number of cases is checked"
refuses 2 "batch.unlabelled = 0: the method 'contrastive_mutual_learning' learns from unlabelled crops" \
  "$comodal" train tiny.toml wrong --batch.unlabelled 0
echo "what a method needs is said before a volume is read"
for method in interpolation_consistency uncertainty_rectified_pyramid uncertainty_aware_mean_teacher; do
  case $method in
    interpolation_consistency) words="learns from unlabelled crops; set it to 2 or more" ;;
    uncertainty_rectified_pyramid) words="the network has one output alone; set model.deep_supervision = true" ;;
    *) words="model.dropout = 0: without dropout all passes of the teacher are alike" ;;
  esac
  refuses 2 "$words" "$comodal" train tiny.toml needy --method.name $method --batch.unlabelled 1
  ! grep -q "^reading" out.txt || fail "$method is refused only after all cases were read"
  [ ! -e needy ] || fail "$method leaves a folder"
done
refuses 2 "method.mutual_consistency.decoders = 'unet_linear': this program has no decoder of that name; did you mean 'unet_trilinear'?" \
  "$comodal" train tiny.toml needy --method.name mutual_consistency --method.mutual_consistency.decoders '["unet_linear"]'
! grep -q "^reading" out.txt || fail "a decoder is refused only after all cases were read"
[ ! -e needy ] || fail "a refused decoder leaves a folder"

echo "what a method trained with is not needed to predict"
set -- --train.steps 2 --model.decoder unet_nearest
"$comodal" train tiny.toml plain_decoder --method.name supervised "$@" >/dev/null 2>&1
count=$("$comodal" info plain_decoder/model.safetensors | sed -n '1s/.*, \([0-9]*\) parameters.*/\1/p')
for method in mutual_consistency dual_task_consistency; do
  "$comodal" train tiny.toml $method --method.name $method "$@" >/dev/null 2>&1 || fail "$method does not train"
  "$comodal" predict $method/model.safetensors cohort/imagesTs ${method}_masks >/dev/null 2>&1 || fail "$method: predict"
  [ -e ${method}_masks/phantom_5000.nii.gz ] || fail "$method: no mask"
  "$comodal" info $method/model.safetensors >out.txt
  grep -q ", $count parameters" out.txt || { cat out.txt >&2; fail "$method: info counts what predict does not use"; }
done
refuses 2 "there is no key 'method.contrastive_mutual_learning.ema_decy'; did you mean 'method.contrastive_mutual_learning.ema_decay'?" \
  "$comodal" train tiny.toml wrong --method.contrastive_mutual_learning.ema_decy 0.9
refuses 2 "^comodal: there is no command 'trian'; did you mean 'train'? (--help lists all commands)$" "$comodal" trian tiny.toml wrong
refuses 2 "did you mean 'phantom.labelled'? (--help lists all keys)" "$comodal" phantom wrong --phantom.labeled 3
[ ! -e wrong ] || fail "a refused run leaves a folder"
mkdir orphan && cp whole/checkpoint.safetensors orphan
refuses 2 "orphan/experiment.toml: is missing beside a checkpoint" "$comodal" train tiny.toml orphan --resume
cp "$comodal" renamed
refuses 2 "^renamed: absent.toml: there is no such experiment file" ./renamed train absent.toml wrong

echo "a run that is stopped before it logs claims no loss"
"$comodal" train tiny.toml early --train.log_every 1000000 --train.steps 1000000 >early.txt 2>/dev/null &
pid=$!
n=0
while [ ! -e early/checkpoint.safetensors ] && [ $n -lt 600 ]; do sleep 0.05; n=$((n + 1)); done
kill -TERM $pid
status=0
wait $pid || status=$?
[ "$status" = 1 ] || fail "a run that was stopped ends with status $status, expected 1"
grep -q "no loss logged" early.txt || fail "a run without a logged loss prints one"

echo "weights that are no longer numbers are never written"
refuses 2 "lower optimiser.learning_rate" "$comodal" train tiny.toml diverged --optimiser.learning_rate 1e38 --train.log_every 1000
[ ! -e diverged/model.safetensors ] || fail "a run that ends in skipped steps has a model"
# What a checkpoint on the way holds is finite: info refuses anything else.
[ ! -e diverged/checkpoint.safetensors ] || "$comodal" info diverged/checkpoint.safetensors >/dev/null || fail "weights that are not finite were written"

echo "labels of unlabelled cases change nothing"
cp -r cohort garbage
for f in garbage/labelsUn/*; do echo garbage >"$f"; done
"$comodal" train tiny.toml leak --data.folder garbage >/dev/null 2>&1
cmp whole/model.safetensors leak/model.safetensors || fail "label files of unlabelled cases were read"
"$comodal" train tiny.toml few --data.labelled '["phantom_0000"]' --train.steps 6 >/dev/null 2>&1
echo garbage >garbage/labelsTr/phantom_0001.nii.gz
"$comodal" train tiny.toml few_leak --data.folder garbage --data.labelled '["phantom_0000"]' --train.steps 6 >/dev/null 2>&1
cmp few/model.safetensors few_leak/model.safetensors || fail "label files of cases that are not listed as labelled were read"

echo "masks, scores and a report"
"$comodal" predict whole/model.safetensors cohort/imagesTs whole/predictions --branches --only >/dev/null
"$comodal" evaluate whole/predictions --labels cohort/labelsTs >table.txt
grep -q "only FLAIR" table.txt || fail "the table has no row of a single modality"
test -s whole/predictions/scores.csv || fail "no scores.csv"
test -s whole/predictions/summary.json || fail "no summary.json"
"$comodal" report whole --labels cohort/labelsTs --images cohort/imagesTs --out report.html --cases 1 >/dev/null
grep -q "</html>" report.html || fail "the report is not whole"
"$comodal" report whole --images cohort/imagesTs --out unlabelled.html --cases 1 >/dev/null
grep -q "There are no labels, so that nothing is scored" unlabelled.html || fail "a report without labels does not say so"
refuses 2 "^comodal: report: --common is about scores" "$comodal" report whole --images cohort/imagesTs --out x.html --common
refuses 2 "^comodal: report: --unit is about scores" "$comodal" report whole --images cohort/imagesTs --out x.html --unit voxel

echo "all sets of modalities, uncertainty, and the order of unlabelled cases"
cp -r cohort/imagesTs incomplete && rm incomplete/phantom_5000_0001.nii.gz
"$comodal" predict whole/model.safetensors incomplete sets --subsets --uncertainty >out.txt
grep -q "2 cases, outputs: fused, only FLAIR, only T1, .*only FLAIR + T1, .*, only T1 + T1ce + T2$" out.txt || { cat out.txt >&2; fail "not all sets in order"; }
grep -q "^uncertainty maps: 2 cases$" out.txt || { cat out.txt >&2; fail "the number of maps is not said"; }
"$comodal" evaluate sets --labels cohort/labelsTs --uncertainty >table.txt
grep -q "^only FLAIR + T1ce + T2  *[a-z].*  2  " table.txt || { cat table.txt >&2; fail "the table has no row of three modalities"; }
grep -q "^only FLAIR + T1 + T1ce + T2  *[a-z].*  1  " table.txt || { cat table.txt >&2; fail "the table has no row of complete cases"; }
grep -q "AUROC of errors" table.txt && test -s sets/uncertainty.csv && test -s sets/uncertainty.json || { cat table.txt >&2; fail "the uncertainty is not judged"; }
refuses 2 "whole/predictions: has no uncertainty map; run .predict. with --uncertainty" "$comodal" evaluate whole/predictions --labels cohort/labelsTs --uncertainty
"$comodal" rank whole/model.safetensors cohort --out ranking.csv >table.txt
"$comodal" rank whole cohort --out ranking_of_run.csv >/dev/null
cmp ranking.csv ranking_of_run.csv || fail "the folder of a run ranks otherwise than its model"
grep -q "^score: mean disagreement of the branches" table.txt || { cat table.txt >&2; fail "the score is not said"; }
[ "$(wc -l <ranking.csv)" = 4 ] || { cat ranking.csv >&2; fail "not three unlabelled cases in the list"; }
refuses 2 "ranking.txt.: expected a file that ends in .csv or .json" "$comodal" rank whole/model.safetensors cohort --out ranking.txt

cp -r cohort/labelsTs undeclared
"$comodal" predict whole/model.safetensors cohort/imagesTs again/predictions >/dev/null
cp -r cohort/imagesTs cut_images
for file in cut_images/phantom_5001_*; do head -c 1000 "cohort/imagesTs/${file##*/}" >"$file"; done
refuses 2 "phantom_5001_.*damaged gzip file" "$comodal" predict again/model.safetensors cut_images again/predictions
[ -e again/predictions/phantom_5000.nii.gz ] && [ ! -e again/predictions/phantom_5001.nii.gz ] || fail "a case that failed keeps the mask of another run"
refuses 2 "has no mask of 1 of 2 labelled cases: phantom_5001" \
  "$comodal" evaluate again/predictions --labels cohort/labelsTs --complete
"$comodal" evaluate again/predictions --labels cohort/labelsTs 2>out.txt >/dev/null || fail "a case without a mask keeps the others from being scored"
grep -q "warning: again/predictions: has no mask of 1 of 2 labelled cases, which are not scored: phantom_5001" out.txt || { cat out.txt >&2; fail "a case that is not scored is not named"; }
refuses 2 "phantom_500.*, which .predict. did not write" "$comodal" predict whole/model.safetensors cohort/imagesTs cohort/labelsTs
gunzip -c cohort/labelsTs/phantom_5001.nii.gz >mask
{ head -c 352 mask; tail -c +353 mask | tr '\002' '\011'; } | gzip >undeclared/phantom_5001.nii.gz
mkdir -p fold_0/validation fold_1/validation
for fold in 0 1; do cp whole/predictions/*.nii.gz fold_$fold/validation/; done
rm fold_1/validation/phantom_5000.nii.gz
"$comodal" evaluate fold_0/validation fold_1/validation --labels cohort/labelsTs --common --out common >table.txt 2>out.txt
grep -q "fold_0/validation Dice.*fold_1/validation Dice" table.txt || { cat table.txt >&2; fail "folders of one name are not told apart"; }
! grep -q "are not scored on the same cases" out.txt || fail "--common scores other cases"
for fold in 0 1; do
  grep -q phantom_5001 common/fold_${fold}_validation/scores.csv || fail "a folder of masks has no table"
  ! grep -q phantom_5000 common/fold_${fold}_validation/scores.csv || fail "--common scores a case that one folder lacks"
done
refuses 2 "phantom_5001.nii.gz: holds label 9 in .* voxels; declared are 0, 1, 2, 3" "$comodal" evaluate whole/predictions --labels undeclared

echo "files that are not packed, and voxels of another size"
cp -r cohort/imagesTs plain && cp -r cohort/labelsTs plain_labels
gunzip plain/*.gz plain_labels/*.gz
"$comodal" predict whole/model.safetensors plain plain_predictions 2>out.txt >/dev/null
! grep -q warning out.txt || { cat out.txt >&2; fail "voxels of the training cases' size are warned of"; }
"$comodal" evaluate plain_predictions --labels plain_labels >/dev/null
grep ",fused," whole/predictions/scores.csv >fused.csv
grep ",fused," plain_predictions/scores.csv | cmp - fused.csv || fail "files that are not packed give other scores"
for file in plain/phantom_5000_*; do printf '\000\000\000\000' | dd of="$file" bs=1 seek=252 conv=notrunc 2>/dev/null; done
"$comodal" predict whole/model.safetensors plain plain_predictions 2>out.txt >/dev/null
grep -q "warning: .*phantom_5000_.*has neither qform nor sform" out.txt || { cat out.txt >&2; fail "predict does not say that left and right are unknown"; }
refuses 2 "holds both" sh -c "cp cohort/imagesTs/phantom_5000_* plain; '$comodal' predict whole/model.safetensors plain p"
"$comodal" phantom fine --seed 3 --phantom.grid '[32, 32, 16]' --phantom.spacing '[3.0, 5.0, 9.0]' --phantom.labelled 1 --phantom.unlabelled 0 --phantom.test 1 >/dev/null
"$comodal" predict whole/model.safetensors fine/imagesTs fine_predictions 2>out.txt >/dev/null
grep -q "has voxels of 3 x 5 x 9 mm, the training cases 5 x 5 x 9 mm" out.txt || { cat out.txt >&2; fail "voxels of another size are taken without a word"; }

refuses 2 "is cut short" sh -c "head -c 5000 whole/model.safetensors >cut.safetensors; '$comodal' predict cut.safetensors cohort/imagesTs p"
refuses 2 "has no weights 'teacher', but: ema, student" "$comodal" predict whole/model.safetensors cohort/imagesTs p --weights teacher
for method in supervised mean_teacher; do "$comodal" train tiny.toml "$method" --method.name $method --train.steps 4 >/dev/null 2>&1; done
"$comodal" info whole/model.safetensors | grep -q "FLAIR" || fail "info does not name the modalities"

echo "benchmark measures, and says where the time went"
"$comodal" benchmark --config tiny.toml --modalities 2 --steps 2 --warm 1 --profile --json steps.json >profile.txt
grep -q "conv3d" profile.txt || fail "the profile has no convolution"
grep -q "decoder stage 0" profile.txt || fail "the profile has no layer"
grep -q '"seconds"' steps.json || fail "no steps in the JSON file"
"$comodal" benchmark --work predict --volume 20 18 10 --config tiny.toml --modalities 2 --steps 1 --warm 1 --model.fusion early >/dev/null
"$comodal" benchmark --precision bf16 --config tiny.toml --modalities 2 --steps 1 --warm 1 --profile --json steps16.json >profile16.txt
grep -q '"precision": "bf16"' steps16.json || fail "the JSON file does not say bf16"
grep -q '"precision": "fp32"' steps.json || fail "the JSON file does not say fp32"
grep -q "^cast" profile16.txt || fail "the profile in bf16 has no casts"
# One map of 3.2 GB, the first that a step makes, in 2.5 GB of addresses (a sanitizer's program does not start in them).
if sh -c "ulimit -v 2500000; '$comodal' --version" >/dev/null 2>&1; then
  refuses 1 "out of memory: .* were asked for.*; use a smaller batch.patch_size, fewer crops per step, or fewer channels" sh -c "ulimit -v 2500000
    '$comodal' benchmark --config tiny.toml --modalities 2 --steps 1 --warm 1 --batch.patch_size '[128, 128, 96]' --model.stream_channels '[256, 4]'"
fi
refuses 2 "GiB: a step takes at least" "$comodal" train tiny.toml small --memory 0.00001
# The least that a step takes differs between processors: ask for a little more than it says.
least=$("$comodal" benchmark --config tiny.toml --modalities 2 --steps 1 --warm 1 --train.memory 0.00001 2>&1 | sed -n 's/.*at least \([0-9.e-]*\) GiB.*/\1/p')
budget=$(awk "BEGIN { print 1.02 * $least }")
"$comodal" benchmark --config tiny.toml --modalities 2 --steps 1 --warm 1 --train.memory "$budget" --json fitted.json >/dev/null
grep -q '"checkpointed"' fitted.json || fail "the number of checkpointed stages is not said"
least=$("$comodal" train tiny.toml small --memory 0.00001 2>&1 | sed -n 's/.*at least \([0-9.e-]*\) GiB.*/\1/p')
budget=$(awk "BEGIN { print 1.02 * $least }")
"$comodal" train tiny.toml fitted --memory "$budget" --train.steps 3 >/dev/null 2>&1
grep -q "^checkpointed = [1-9]" fitted/experiment.toml || fail "the budget checkpoints no stage"
"$comodal" train tiny.toml fitted --memory "$budget" --train.steps 3 --resume >out.txt 2>&1 || { cat out.txt >&2; fail "a run within a budget of memory cannot be resumed"; }
refuses 2 "did you mean 'model.fusion'" "$comodal" benchmark --model.fusoin early
refuses 2 "no multiple of the network's total stride" "$comodal" benchmark --batch.patch_size '[16, 16, 6]'

echo "regions that overlap, from the data set to the scores"
# The tumour is bright in FLAIR, its core and rim in T1, its rim in T1ce, so that a few steps find all three.
"$comodal" phantom regions --easy --seed 4 --phantom.grid '[32, 32, 16]' --phantom.spacing '[5.0, 5.0, 9.0]' --phantom.labelled 3 \
  --phantom.unlabelled 2 --phantom.test 1 --phantom.lesion_ml 38 --phantom.contrast_flair '[0.5, 0.5, 0.5, 2, 2, 2]' \
  --phantom.contrast_t1 '[0.5, 0.5, 0.5, 0.5, 2, 2]' --phantom.contrast_t1ce '[0.5, 0.5, 0.5, 0.5, 2, 0.5]' >/dev/null
cat >regions/dataset.json <<'J'
{"channel_names": {"0": "FLAIR", "1": "T1", "2": "T1ce", "3": "T2"}, "numTraining": 3, "file_ending": ".nii.gz",
 "labels": {"background": 0, "whole tumour": [1, 2, 3], "tumour core": [1, 3], "enhancing rim": 3}, "regions_class_order": [2, 1]}
J
refuses 2 "2 labels for 3 regions" "$comodal" train tiny.toml overlap --data.folder regions
sed 's/\[2, 1\]/[2, 1, 3]/' regions/dataset.json >whole.json && mv whole.json regions/dataset.json
"$comodal" train tiny.toml overlap --data.folder regions --data.validation '["phantom_0000"]' --train.validate_every 30 --train.steps 60 \
  --optimiser.name adamw --optimiser.learning_rate 0.1 --method.contrastive_mutual_learning.ema_decay 0.9 >out.txt 2>&1 || { cat out.txt >&2; fail "training on regions"; }
grep -q "best validation Dice" out.txt || fail "regions are not validated"
"$comodal" predict overlap/model.safetensors regions/imagesTs overlap/predictions --branches --only >/dev/null
"$comodal" evaluate overlap/predictions --labels regions/labelsTs >table.txt
for region in "whole tumour" "tumour core" "enhancing rim"; do
  for output in fused "branch T1" "only T2"; do grep -q "^$output  *$region " table.txt || fail "the table has no row of $region, $output"; done
  awk -F, -v region="$region" '$2 == "fused" && $3 == region && $4 > 0.15 { found = 1 } END { exit !found }' overlap/predictions/scores.csv ||
    { cat table.txt >&2; fail "the network did not find the $region"; }
done
grep -q '"(1, 2, 3)"' overlap/predictions/summary.json || fail "summary.json does not name regions by their labels"
# As labels of a data set the masks would be refused for every value that is not declared there.
mkdir masks && cp -r regions/imagesTs masks/imagesTr && cp regions/dataset.json masks
for folder in overlap/predictions overlap/predictions/branch_T1 overlap/predictions/only_T2; do
  rm -rf masks/labelsTr && mkdir masks/labelsTr && cp "$folder"/*.nii.gz masks/labelsTr
  "$comodal" check masks >out.txt || { cat out.txt >&2; fail "masks in $folder hold other labels than the declared ones"; }
done
echo "passed"
