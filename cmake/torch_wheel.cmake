# LibTorch from the `torch` wheel of the project's virtual environment. The libraries are imported by
# path and not through the wheel's own TorchConfig.cmake, which would ask for a CUDA toolkit where the
# wheel is a CUDA build. An installed namid reads this file too, with the reader's Python.
set(NAMID_TORCH_VERSION 2.13.0)
set(python "${NAMID_VENV}/bin/python")
if(SKBUILD)  # a wheel is built for, and with, the Python that builds it
  set(python "${Python_EXECUTABLE}")
endif()
set(NAMID_PYTHON_EXECUTABLE "${python}" CACHE FILEPATH "the project's Python")
if(NOT EXISTS "${NAMID_PYTHON_EXECUTABLE}")
  message(FATAL_ERROR "no Python at ${NAMID_PYTHON_EXECUTABLE}: run `make setup` first")
endif()
execute_process(
  COMMAND "${NAMID_PYTHON_EXECUTABLE}" -c
          "import importlib.util, importlib.metadata, os, sysconfig; \
print(os.path.dirname(importlib.util.find_spec('torch').origin), \
importlib.metadata.version('torch'), sysconfig.get_paths()['include'], \
sysconfig.get_config_var('EXT_SUFFIX'), sep=';')"
  OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "no torch in ${NAMID_VENV}: run `make setup` first")
endif()
list(GET found 0 NAMID_TORCH_DIR)
list(GET found 1 torch_version)
list(GET found 2 NAMID_PYTHON_INCLUDE)
list(GET found 3 NAMID_PYTHON_SUFFIX)
if(NOT torch_version VERSION_EQUAL NAMID_TORCH_VERSION AND NOT torch_version MATCHES
                                                          "^${NAMID_TORCH_VERSION}[+]")
  message(WARNING "torch ${torch_version} found; namid is tested with ${NAMID_TORCH_VERSION} only")
endif()

foreach(lib c10 torch_cpu torch torch_python)
  add_library(torch_wheel_${lib} SHARED IMPORTED GLOBAL)
  set_target_properties(torch_wheel_${lib} PROPERTIES IMPORTED_LOCATION
                                                      "${NAMID_TORCH_DIR}/lib/lib${lib}.so")
endforeach()
add_library(torch_wheel INTERFACE IMPORTED GLOBAL)  # imported: not part of an installation
target_include_directories(
  torch_wheel SYSTEM INTERFACE "${NAMID_TORCH_DIR}/include"
                               "${NAMID_TORCH_DIR}/include/torch/csrc/api/include")
# libtorch pulls in the CUDA parts of a CUDA wheel by its own dependencies, so it must stay linked
# although no symbol of it is named here.
target_link_libraries(torch_wheel INTERFACE -Wl,--no-as-needed torch_wheel_torch -Wl,--as-needed
                                            torch_wheel_torch_cpu torch_wheel_c10)
target_compile_definitions(torch_wheel INTERFACE _GLIBCXX_USE_CXX11_ABI=1)
set(CMAKE_BUILD_RPATH "${NAMID_TORCH_DIR}/lib")
