# One place for how every target is compiled.
add_library(lab_flags INTERFACE)
target_compile_features(lab_flags INTERFACE cxx_std_20)
target_compile_options(lab_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Wcast-qual>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Designated initialisers that leave later members at their defaults are the house style.
  target_compile_options(lab_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-missing-field-initializers>)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  target_compile_options(lab_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-missing-field-initializers -Wno-missing-designated-field-initializers -Wno-unknown-warning-option>)
endif()
if(LAB_WERROR)
  target_compile_options(lab_flags INTERFACE -Werror)
endif()

# Hardening: a program that people start with sudo (checked on the binary by a test).
if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug" AND NOT CMAKE_CXX_FLAGS MATCHES "fsanitize")
  target_compile_options(lab_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif()
target_compile_options(lab_flags INTERFACE -fstack-protector-strong)
target_compile_definitions(lab_flags INTERFACE _GLIBCXX_ASSERTIONS LAB_VERSION="${PROJECT_VERSION}")
target_link_options(lab_flags INTERFACE -pie -Wl,-z,relro -Wl,-z,now)
