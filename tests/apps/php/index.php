<?php echo "php answers";
