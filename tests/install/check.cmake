# Run by the install test: install, extract the README's examples, build and run them outside.
cmake_minimum_required(VERSION 3.25)

function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE out)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${ARGV}\n${out}")
  endif()
endfunction()

file(REMOVE_RECURSE ${WORK_DIR}/prefix ${WORK_DIR}/consumer)
run(${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${WORK_DIR}/prefix)

# The README has one block each of C++ and CMake.
file(READ ${SOURCE_DIR}/README.md readme)
string(REPLACE ";" "<semicolon>" readme "${readme}")
foreach(language cpp cmake)
  string(FIND "${readme}" "```${language}\n" begin)
  if(begin EQUAL -1)
    message(FATAL_ERROR "README.md has no ${language} block")
  endif()
  string(LENGTH "```${language}\n" fence)
  math(EXPR begin "${begin} + ${fence}")
  string(SUBSTRING "${readme}" ${begin} -1 rest)
  string(FIND "${rest}" "```" end)
  string(SUBSTRING "${rest}" 0 ${end} block)
  string(REPLACE "<semicolon>" ";" block "${block}")
  set(${language} "${block}")
endforeach()
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
