// NVIDIA's libraries for the CUDA build of TensorFlow, and which files of them are wanted: data only. The versions are
// the oldest that the extra `and-cuda` of the wheel tensorflow 2.20.0 allows, those it was built with (CUDA 12.5.1).

/**
 * @typedef {object} CudaWheel
 * @property {string} name the distribution
 * @property {string} version
 * @property {string} sha256 of the wheel
 * @property {number} sizeBytes of the wheel
 * @property {string} from its folder inside the wheel, under `nvidia/`
 * @property {string} folder its folder here, under `nvidia/`: where the run paths of those that open it say
 * @property {string[]} files what is wanted of it
 */

/**
 * Two wheels of the extra are left out. nvidia-nccl-cu12: NCCL is linked into libtensorflow_framework. nvidia-curand-cu12:
 * nothing calls cuRAND. No run path, TensorFlow's or that of a library below, names the folder of either.
 * @type {CudaWheel[]}
 */
export const cudaWheels = [
  {
    name: 'nvidia-cuda-runtime-cu12',
    version: '12.5.82',
    sha256: '3e79a060e126df40fd3a068f3f787eb000fa51b251ec6cd97d09579632687115',
    sizeBytes: 895_707,
    from: 'cuda_runtime',
    folder: 'cuda_runtime',
    files: ['lib/libcudart.so.12'],
  },
  {
    name: 'nvidia-cublas-cu12',
    version: '12.5.3.2',
    sha256: 'ca070ad70e9fa6654084575d01bd001f30cc4665e33d4bb9fc8e0f321caa034b',
    sizeBytes: 363_313_169,
    from: 'cublas',
    folder: 'cublas',
    files: ['lib/libcublas.so.12', 'lib/libcublasLt.so.12'],
  },
  {
    name: 'nvidia-cufft-cu12',
    version: '11.2.3.61',
    sha256: '9a6e8df162585750f61983a638104a48c756aa13f9f48e19ab079b38e3c828b8',
    sizeBytes: 192_524_114,
    from: 'cufft',
    folder: 'cufft',
    files: ['lib/libcufft.so.11'],
  },
  {
    name: 'nvidia-cusolver-cu12',
    version: '11.6.3.83',
    sha256: '93cfafacde4428b71778eeb092ec615a02a3d05404da1bcf91c53e3fa1bce42b',
    sizeBytes: 130_341_232,
    from: 'cusolver',
    folder: 'cusolver',
    files: ['lib/libcusolver.so.11'],
  },
  {
    name: 'nvidia-cusparse-cu12',
    version: '12.5.1.3',
    sha256: '016df8e993c437e8301e62739f01775cba988fd5253cd4c64173f8e8d2f8e752',
    sizeBytes: 217_558_979,
    from: 'cusparse',
    folder: 'cusparse',
    files: ['lib/libcusparse.so.12'],
  },
  {
    name: 'nvidia-nvjitlink-cu12',
    version: '12.5.82',
    sha256: 'f9b37bc5c8cf7509665cb6ada5aaa0ce65618f2332b7d3e78e9790511f111212',
    sizeBytes: 21_298_879,
    from: 'nvjitlink',
    folder: 'nvjitlink',
    files: ['lib/libnvJitLink.so.12'],
  },
  {
    name: 'nvidia-cudnn-cu12',
    version: '9.3.0.75',
    sha256: '9ad9c6929ebb5295eb4a1728024666d1c88283373e265a0c5c883e6f9d5cd76d',
    sizeBytes: 577_163_502,
    from: 'cudnn',
    folder: 'cudnn',
    files: [
      'lib/libcudnn.so.9',
      'lib/libcudnn_adv.so.9',
      'lib/libcudnn_cnn.so.9',
      'lib/libcudnn_engines_precompiled.so.9',
      'lib/libcudnn_engines_runtime_compiled.so.9',
      'lib/libcudnn_graph.so.9',
      'lib/libcudnn_heuristic.so.9',
      'lib/libcudnn_ops.so.9',
    ],
  },
  {
    name: 'nvidia-cuda-nvrtc-cu12',
    version: '12.5.82',
    sha256: '3dbd97b0104b4bfbc3c4f8c79cd2496307c89c43c29a9f83125f1d76296ff3fd',
    sizeBytes: 24_873_108,
    // Only cuDNN opens it, and cuDNN's run path says nvrtc.
    from: 'cuda_nvrtc',
    folder: 'nvrtc',
    files: ['lib/libnvrtc.so.12', 'lib/libnvrtc-builtins.so.12.5'],
  },
  {
    name: 'nvidia-cuda-cupti-cu12',
    version: '12.5.82',
    sha256: 'bde77a5feb66752ec61db2adfe47f56b941842825b4c7e2068aff27c9d107953',
    sizeBytes: 13_811_507,
    from: 'cuda_cupti',
    folder: 'cuda_cupti',
    files: ['lib/libcupti.so.12'],
  },
  {
    name: 'nvidia-cuda-nvcc-cu12',
    version: '12.5.82',
    sha256: 'b03e545b8e8c3ce7ebcd7fc44063180ff52ff01d064ece2127ed90a04ef12cd0',
    sizeBytes: 22_468_537,
    from: 'cuda_nvcc',
    folder: 'cuda_nvcc',
    files: ['bin/ptxas', 'nvvm/libdevice/libdevice.10.bc'],
  },
];
