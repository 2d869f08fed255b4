configure_file(${CMAKE_CURRENT_LIST_DIR}/support/tree.hpp.in ${CMAKE_BINARY_DIR}/tests/made/support/tree.hpp @ONLY)

# lab_test(RING AREA ROOMS …): tests/RING/AREA/*.cpp become the program RING_AREA, its cases known to ctest.
function(lab_test ring area)
  cmake_parse_arguments(T "" "" "ROOMS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${ring}/${area}/*.cpp)
  if(NOT sources)
    return()
  endif()
  set(target ${ring}_${area})
  add_executable(${target} ${sources})
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/tests ${CMAKE_BINARY_DIR}/tests/made)
  foreach(room ${T_ROOMS})
    target_link_libraries(${target} PRIVATE lab_${room})
  endforeach()
  target_link_libraries(${target} PRIVATE GTest::gtest GTest::gmock)
  file(GLOB own_main ${CMAKE_CURRENT_SOURCE_DIR}/${ring}/${area}/main.cpp)
  if(NOT own_main)
    target_link_libraries(${target} PRIVATE GTest::gtest_main)
  endif()
  # No pretty values: parameters print as addresses, and a test would change its name from run to run.
  gtest_discover_tests(${target} NO_PRETTY_VALUES TEST_PREFIX "${ring}/${area}/" PROPERTIES LABELS ${ring} TIMEOUT 120
    DISCOVERY_TIMEOUT 60 DISCOVERY_MODE PRE_TEST)
endfunction()

# lab_cli_test(AREA): tests/cli/AREA_test.py, with the built program in LAB.
function(lab_cli_test area)
  if(NOT Python3_FOUND)
    return()
  endif()
  add_test(NAME cli/${area} COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_SOURCE_DIR}/cli/${area}_test.py)
  set_tests_properties(cli/${area} PROPERTIES LABELS cli TIMEOUT 600 ENVIRONMENT "LAB=$<TARGET_FILE:lab_program>")
endfunction()
