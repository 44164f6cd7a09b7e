# The version that runs record: project version, git commit and whether the tree had changes.
# Written at each build, and only when it changed, so that nothing is rebuilt needlessly.
set(NAMID_VERSION_HEADER "${CMAKE_BINARY_DIR}/generated/namid_version.inc")
add_custom_target(
  namid_version
  COMMAND ${CMAKE_COMMAND} -DSOURCE=${CMAKE_SOURCE_DIR} -DOUT=${NAMID_VERSION_HEADER}
          -DVERSION=${PROJECT_VERSION} -P ${CMAKE_SOURCE_DIR}/cmake/write_version.cmake
  BYPRODUCTS ${NAMID_VERSION_HEADER}
  COMMENT "")
