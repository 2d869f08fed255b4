# A run is short: loading eleven shared libraries takes as long as making a sandbox, and each fork copies their mappings.
# So libraries are linked in where the distribution has an archive of them. Where one is missing, or doesn't link, the
# shared form stays. libnftables is loaded when a whole ruleset needs it, libmnl has no archive.
include(CheckCXXSourceCompiles)

# The imported target PkgConfig::PREFIX gets archives in place of shared libraries. `uses`: an expression that needs it.
function(lab_link_archives prefix header uses)
  if(NOT TARGET PkgConfig::${prefix})
    return()
  endif()
  set(archives "")
  foreach(name ${${prefix}_STATIC_LIBRARIES})
    find_library(LAB_ARCHIVE_${name} NAMES lib${name}.a)
    mark_as_advanced(LAB_ARCHIVE_${name})
    # zlib reads what strangers may have written: it stays the distribution's, with its security updates.
    if(LAB_ARCHIVE_${name} AND NOT name STREQUAL "z")
      list(APPEND archives ${LAB_ARCHIVE_${name}})
    else()
      list(APPEND archives ${name})
    endif()
  endforeach()
  set(CMAKE_REQUIRED_LIBRARIES ${archives})
  get_target_property(CMAKE_REQUIRED_INCLUDES PkgConfig::${prefix} INTERFACE_INCLUDE_DIRECTORIES)
  if(NOT CMAKE_REQUIRED_INCLUDES)
    set(CMAKE_REQUIRED_INCLUDES "")
  endif()
  set(CMAKE_REQUIRED_QUIET ON)
  check_cxx_source_compiles("#include <cstddef>\n#include <cstdint>\n#include <${header}>\nint main() { return (${uses}) != 0; }" LAB_LINKS_${prefix})
  if(LAB_LINKS_${prefix})
    set_target_properties(PkgConfig::${prefix} PROPERTIES INTERFACE_LINK_LIBRARIES "${archives}")
  endif()
endfunction()

# lab::fmt: fmt without its shared library.
function(lab_fmt_linked_in)
  set(user ${CMAKE_BINARY_DIR}/uses_fmt.cpp)
  file(WRITE ${user} "#include <fmt/format.h>\nint main() { return fmt::format(\"{} {:.1f} {:L}\", 1, 1.5, 1000).empty(); }\n")
  try_compile(LAB_LINKS_FMT ${CMAKE_BINARY_DIR}/uses_fmt SOURCES ${user} ${CMAKE_SOURCE_DIR}/cmake/fmt.cpp
    CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON)
  if(NOT LAB_LINKS_FMT)
    add_library(lab_fmt INTERFACE)
    target_link_libraries(lab_fmt INTERFACE fmt::fmt)
  else()
    add_library(lab_fmt STATIC ${CMAKE_SOURCE_DIR}/cmake/fmt.cpp)
    target_compile_features(lab_fmt PUBLIC cxx_std_20)
    foreach(property COMPILE_DEFINITIONS INCLUDE_DIRECTORIES)
      get_target_property(value fmt::fmt INTERFACE_${property})
      if(value)
        set_property(TARGET lab_fmt APPEND PROPERTY INTERFACE_${property} ${value})
      endif()
    endforeach()
  endif()
  add_library(lab::fmt ALIAS lab_fmt)
endfunction()

# For a program. The sanitizers have to see the shared C++ library's functions. The compiler asks for the math library
# whether it is used or not.
function(lab_link_runtime target)
  if(NOT CMAKE_CXX_FLAGS MATCHES "fsanitize" AND CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
    target_link_options(${target} PRIVATE -static-libstdc++ -static-libgcc -Wl,--as-needed)
  endif()
endfunction()
