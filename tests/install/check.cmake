# Run by the install test: install, extract the examples of documents, build and run them outside.
cmake_minimum_required(VERSION 3.25)

function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE out)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${ARGV}\n${out}")
  endif()
endfunction()

file(REMOVE_RECURSE ${WORK_DIR}/prefix ${WORK_DIR}/consumer)
run(${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${WORK_DIR}/prefix)

# Sets `result` to the first block of that language in a document.
function(read_block document language result)
  file(READ ${SOURCE_DIR}/${document} text)
  string(REPLACE ";" "<semicolon>" text "${text}")
  string(FIND "${text}" "```${language}\n" begin)
  if(begin EQUAL -1)
    message(FATAL_ERROR "${document} has no ${language} block")
  endif()
  string(LENGTH "```${language}\n" fence)
  math(EXPR begin "${begin} + ${fence}")
  string(SUBSTRING "${text}" ${begin} -1 rest)
  string(FIND "${rest}" "```" end)
  string(SUBSTRING "${rest}" 0 ${end} block)
  string(REPLACE "<semicolon>" ";" block "${block}")
  set(${result} "${block}" PARENT_SCOPE)
endfunction()

read_block(README.md cpp cpp)
read_block(README.md cmake cmake)
file(WRITE ${WORK_DIR}/consumer/main.cpp "${cpp}")
file(WRITE ${WORK_DIR}/consumer/CMakeLists.txt
     "cmake_minimum_required(VERSION 3.25)\nproject(consumer LANGUAGES CXX)\n${cmake}")
run(${CMAKE_COMMAND} -S ${WORK_DIR}/consumer -B ${WORK_DIR}/consumer/build -G ${GENERATOR}
    -D CMAKE_PREFIX_PATH=${WORK_DIR}/prefix -D CMAKE_CXX_COMPILER=${CXX_COMPILER})
run(${CMAKE_COMMAND} --build ${WORK_DIR}/consumer/build)

# The example serves a layer of an archive; make it one.
run(${WORK_DIR}/prefix/bin/pqw quantize ${SOURCE_DIR}/tests/data/digits.safetensors
    -o ${WORK_DIR}/consumer/model.h5 --quiet)
execute_process(COMMAND ${WORK_DIR}/consumer/build/example WORKING_DIRECTORY ${WORK_DIR}/consumer
                RESULT_VARIABLE status OUTPUT_VARIABLE out)
if(NOT status EQUAL 0 OR NOT out MATCHES "^[-0-9.e]+\n$")
  message(FATAL_ERROR "the example printed '${out}' and exited with ${status}")
endif()

# The C program, by pkg-config and by CMake.
read_block(docs/c_api.md c c)
read_block(docs/c_api.md text printed)
set(c_dir ${WORK_DIR}/consumer_c)
file(REMOVE_RECURSE ${c_dir})
file(WRITE ${c_dir}/example.c "${c}")
file(WRITE ${c_dir}/CMakeLists.txt "cmake_minimum_required(VERSION 3.25)
project(consumer LANGUAGES C)
find_package(pqw 0.1 REQUIRED COMPONENTS c)
add_executable(by_cmake example.c)
target_link_libraries(by_cmake pqw::c)\n")
run(${CMAKE_COMMAND} -S ${c_dir} -B ${c_dir} -G ${GENERATOR} -D CMAKE_PREFIX_PATH=${WORK_DIR}/prefix
    -D CMAKE_C_COMPILER=${C_COMPILER})
run(${CMAKE_COMMAND} --build ${c_dir})
set(ENV{PKG_CONFIG_PATH} ${WORK_DIR}/prefix/${LIB_DIR}/pkgconfig)
run(sh -c "${C_COMPILER} -std=c99 -Wall -Wextra -Werror -pedantic ${c_dir}/example.c \
    $(pkg-config --cflags --libs pqw) -o ${c_dir}/by_pkg_config")
set(ENV{LD_LIBRARY_PATH} ${WORK_DIR}/prefix/${LIB_DIR})
foreach(program by_cmake by_pkg_config)
  execute_process(COMMAND ${c_dir}/${program} ${SOURCE_DIR}/tests/data/digits.safetensors ${c_dir}/digits.h5
                  RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE error)
  if(NOT status EQUAL 0 OR NOT out STREQUAL printed)
    message(FATAL_ERROR "${program} printed '${out}${error}' and exited with ${status}; docs/c_api.md says '${printed}'")
  endif()
endforeach()
